/*
 * Where the other processors begin: in real mode, at the start of the page that the SIPI named, with
 * cs = that page / 16. smp.c copies this there. They go on to 32-bit code, each with its own stack.
 */
#define STACK_SIZE	2048

	.text
	.code16
	.globl	trampoline, trampoline_end
trampoline:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	gdt_copy - trampoline
	mov	%cr0, %eax
	or	$1, %al			/* CR0.PE */
	mov	%eax, %cr0
	ljmpl	$0x08, $protected
gdt_copy:
	.word	0x2f			/* the same GDT as in start.S */
	.long	gdt
trampoline_end:

	.code32
protected:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$STACK_SIZE, %esp
	lock xadd %esp, next_stack	/* each takes the next piece: its top */
	call	processor_started

	.data
	.balign	4
next_stack:
	.long	stacks + STACK_SIZE

	.bss
	.balign	16
stacks:	.skip	255 * STACK_SIZE

	.section .note.GNU-stack, "", @progbits
