# The smallest guest: a processor that stops.
	.code16
	.globl _start
_start:
	cli
	hlt
