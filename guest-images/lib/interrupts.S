/*
 * Between the processor and the handlers in C: one stub a vector, which says its number.
 *
 * The way back is popf and lret, not iret. Where KVM emulates a guest's instructions it has no iret for
 * protected mode (arch/x86/kvm/emulate.c, em_iret); on hardware both do the same within one privilege level.
 */
	.text
	.globl	interrupt_stubs
	.balign	16
interrupt_stubs:
	vector = 0
	.rept	256
	.balign	16
	push	$vector
	jmp	interrupt
	vector = vector + 1
	.endr

interrupt:
	pusha
	cld
	push	32(%esp)		/* the vector, behind the eight registers */
	call	handle_interrupt
	add	$4, %esp
	/* vector, eip, cs, eflags become nothing, eflags, eip, cs */
	mov	36(%esp), %eax
	mov	40(%esp), %ecx
	mov	44(%esp), %edx
	mov	%edx, 36(%esp)
	mov	%eax, 40(%esp)
	mov	%ecx, 44(%esp)
	popa
	add	$4, %esp
	popf
	lret

	.section .note.GNU-stack, "", @progbits
