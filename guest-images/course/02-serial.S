# A line on the first serial port, byte by byte, and the power off.
	.code16
	.globl _start
_start:
	mov	$text, %si
next:	mov	$0x3fd, %dx		# COM1's line status register
wait:	in	%dx, %al
	test	$0x20, %al		# bit 5: ready for the next byte
	jz	wait
	lodsb				# AL = the byte at DS:SI, and SI + 1
	test	%al, %al
	jz	off
	mov	$0x3f8, %dx		# COM1's transmit register
	out	%al, %dx
	jmp	next

off:	mov	$0x604, %dx		# ACPI's PM1a control register
	mov	$0x2000, %ax		# SLP_EN, with the sleep type 0: off
	out	%ax, %dx

text:	.asciz	"Hi!\n"
