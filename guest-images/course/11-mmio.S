# Memory that is none: what four instructions that touch it become.
	.long	0x1badb002, 0, -0x1badb002	# a multiboot header: entered in 32-bit protected mode
	.globl _start
_start:	mov	$0xd0000000, %ebx
	movl	$0x12345678, (%ebx)	# a write
	mov	(%ebx), %eax		# a read
	addw	$1, 2(%ebx)		# both
	mov	%eax, 0xffd(%ebx)	# a write over the end of a page
	mov	$0x604, %dx		# ACPI: off
	mov	$0x2000, %ax
	out	%ax, %dx
