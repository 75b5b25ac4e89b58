# From real to protected mode: a GDT, one bit, a far jump.
	.code16
	.globl _start
_start:
	cli				# the IVT means nothing there
	lgdtl	gdt_pointer
	mov	%cr0, %eax
	or	$1, %al			# CR0.PE
	mov	%eax, %cr0
	ljmpl	$0x08, $protected	# loads CS: 32-bit code from here on

	.code32
protected:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x7c00, %esp
	movb	$'P', 0x200000		# 2 MiB: no 16-bit offset gets there
	mov	$0x3f8, %edx
	mov	0x200000, %al
	out	%al, %dx
	mov	$'\n', %al
	out	%al, %dx
	mov	$0x604, %edx
	mov	$0x2000, %eax
	out	%ax, %dx

	.balign 8
gdt:	.quad	0			# selector 0 is for nobody
	.quad	0x00cf9b000000ffff	# 0x08: code, base 0, limit 4 GiB, 32-bit
	.quad	0x00cf93000000ffff	# 0x10: data, the same
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
