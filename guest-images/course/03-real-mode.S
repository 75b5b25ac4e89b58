# Segments, and an interrupt with a handler of the guest's own.
	.code16
	.globl _start
_start:
	xor	%ax, %ax
	mov	%ax, %ds		# DS: the IVT begins at 0
	mov	%ax, %ss
	mov	$0x7c00, %sp		# the stack grows down from this code
	movw	$handler, 0x60 * 4	# vector 0x60: offset first,
	movw	%ax, 0x60 * 4 + 2	# then segment

	movw	$0xb800, %ax
	mov	%ax, %es
	movb	$'A', %es:0		# segment * 16 + offset: 0xb8000
	mov	$0xb000, %ax
	mov	%ax, %ds
	mov	0x8000, %al		# 0xb0000 + 0x8000: the same byte
	int	$0x60
	mov	$'\n', %al
	int	$0x60

	mov	$0x604, %dx		# power off, as in lesson 2
	mov	$0x2000, %ax
	out	%ax, %dx

handler:				# prints AL
	push	%dx
	mov	$0x3f8, %dx
	out	%al, %dx
	pop	%dx
	iret
