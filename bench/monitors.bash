# Sourced by the comparisons here: builds what they compare, and says how each monitor runs a test kernel. In the lab
# (tests/lab) it builds nothing: there it measures what was built outside. MINIVMM_BEFORE=PROGRAM puts an older minivmm
# beside this one.
out=$PWD/out/bench guests=$PWD/out/guests ram_mib=96
mkdir -p "$out"
if [[ ! ${LAB-} ]]; then
  tests/install-tools gcc libc6-dev linux-libc-dev
  make -s build
  # Static, to stay small: what wait4 says of a child's memory is never less than what its parent has.
  cc -O2 -Wall -Wextra -static -o "$out/rounds" bench/rounds.c
  cc -O2 -Wall -Wextra -o "$out/boot_twin" native-tests/boot_twin.c
fi
qemu=$(command -v qemu-system-x86_64) || echo "QEMU (qemu-system-x86_64) is not installed: compared without it."

# The same code, compiled at run time: what a .NET program is without native AOT.
build_jit() {
  dotnet build src/MiniVmm.Tools -c Release -v quiet >"$out/log" || { cat "$out/log" >&2; exit 1; }
  jit=$PWD/src/MiniVmm.Tools/bin/Release/net10.0/linux-x64/MiniVmm.Tools.dll
}

# Sets `commands` to what `rounds` takes: the C twin, minivmm, minivmm by the JIT compiler if it is built, QEMU if it
# is installed. hello, which powers off by the port that ACPI names, or by 0x604 where there is none (QEMU's microvm
# has no such port), ends QEMU by a second debug-exit device there.
commands_for() { # KERNEL COMMAND_LINE
  local kernel=$guests/$1.elf line=$2
  local minivmm=(run --mem "${ram_mib}M" "$kernel" --append "$line")
  commands=("C twin" "$out/boot_twin" "$kernel" "$ram_mib" "$line" -- "minivmm" "$PWD/out/minivmm" "${minivmm[@]}")
  if [[ ${MINIVMM_BEFORE-} ]]; then
    commands+=(-- "minivmm, before" "$MINIVMM_BEFORE" "${minivmm[@]}")
  fi
  if [[ ${jit:-} ]]; then
    commands+=(-- "minivmm, JIT-compiled" "$(command -v dotnet)" "$jit" "${minivmm[@]}")
  fi
  if [[ $qemu ]]; then
    commands+=(-- "QEMU -M microvm" "$qemu" -M "microvm,accel=kvm" -m "$ram_mib" -nodefaults -no-user-config
      -display none -no-reboot -serial stdio
      -device "isa-debug-exit,iobase=0xf4,iosize=1" -device "isa-debug-exit,iobase=0x604,iosize=2"
      -kernel "$kernel" -append "$line")
  fi
}

rounds() {
  # Pages of files that were just written would count as written by the machines.
  sync "$PWD/out/minivmm" ${jit:+"${jit%/*}"/*.dll} "$out"/*
  "$out/rounds" "$@" "${commands[@]}" 2>"$out/log" || { cat "$out/log" >&2; exit 1; }
}
