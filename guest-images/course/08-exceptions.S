# An exception with a handler, one whose handler is missing, and one for which nothing is left.
start_of_file:
	.long	0x1badb002, 0, -0x1badb002	# a multiboot header: entered in 32-bit protected mode

	.globl _start
_start:	mov	$0x80000, %esp
	lidt	idt_pointer
	mov	$0x3f8, %dx
	ud2					# 1. gate 6 leads to on_ud
	movb	$0x0e, idt + 6 * 8 + 5	# gate 6 is not present any more
	ud2					# 2. #UD, #NP for gate 6, #NP for gate 11: #DF

on_ud:	mov	$'U', %al
	out	%al, %dx
	addl	$2, (%esp)			# behind the ud2
	pop	%eax				# EIP, CS and EFLAGS, which iret would take
	add	$4, %esp
	popf
	jmp	*%eax

on_df:	mov	$'D', %al
	out	%al, %dx
	mov	$'\n', %al
	out	%al, %dx
	movb	$0x0e, idt + 8 * 8 + 5	# gate 8 is gone, too
last:	ud2					# 3. #UD, #NP, #DF, and no way to deliver that

	.macro	gate handler			# code segment 8, present, 32-bit interrupt gate
	.word	\handler - start_of_file, 8, 0x8e00, 0x10
	.endm
	.balign	8
idt:	.fill	6, 8, 0
	gate	on_ud
	.fill	1, 8, 0
	gate	on_df
	.fill	5, 8, 0
idt_pointer:
	.word	. - idt - 1
	.long	idt
