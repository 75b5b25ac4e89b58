# shellcheck shell=bash
# Sourced by the lab's scripts: where things are. Sets variables only.
# shellcheck disable=SC2034
lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$lab_dir/../.." && pwd)
cache=${LAB_CACHE:-$root/out/lab}          # kernels and the lab's own initrd; safe to delete
guests=$root/out/guests                    # what is booted inside: kernels and initramfs under test
PATH=$PATH:/usr/sbin:/sbin                 # depmod and modprobe are there, off an ordinary user's PATH
