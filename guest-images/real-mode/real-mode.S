/*
 * The way to real mode and back (SDM vol. 3, 9.9): a 16-bit code segment, CR0.PE off, a far jump that
 * loads a real-mode cs, and the vector table at 0. The 16-bit code runs from a copy at 0x1000, as 0100:xxxx.
 */
#define PAGE		0x1000
#define SEGMENT		(PAGE >> 4)
#define AT(label)	(label - real_mode_code)	/* its offset in that segment */
#define SERIAL		0x3f8

#define INTERRUPT	1		/* what was found, as in real-mode.c */
#define SEGMENTS	2
#define A20		4
#define BACK_AGAIN	8

	.text
	.code32
	.globl	real_mode_visit, real_mode_code, real_mode_code_end
real_mode_visit:
	pusha
	mov	%esp, saved_esp
	sidt	saved_idt
	ljmp	$0x20, $PAGE		/* the 16-bit code segment of start.S: base 0, 64 KiB */

real_mode_code:
	.code16
	/* Still protected mode. Segments keep their limits in real mode: give them 64 KiB ones first. */
	mov	$0x28, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %fs
	mov	%ax, %gs
	mov	%ax, %ss
	lidtl	PAGE + AT(vector_table)
	mov	%cr0, %eax
	and	$~1, %eax		/* CR0.PE */
	mov	%eax, %cr0
	ljmp	$SEGMENT, $AT(real)

real:	mov	%cs, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$PAGE - 16, %sp
	xor	%ebx, %ebx		/* what was found */

	mov	$AT(greeting), %si
	mov	$greeting_end - greeting, %cx
	mov	$SERIAL, %dx
	cld
	rep outsb

	/* Vector 0x60 is kept free for users on every PC. */
	xor	%ax, %ax
	mov	%ax, %fs
	movw	$AT(on_int), %fs:0x60 * 4
	movw	$SEGMENT, %fs:0x60 * 4 + 2
	int	$0x60

	/* A segment is 16 bytes further on for each number. */
	mov	$SEGMENT + 1, %ax
	mov	%ax, %es
	movw	$0x55aa, AT(scratch)
	cmpw	$0x55aa, %es:AT(scratch) - 16
	jne	1f
	or	$SEGMENTS, %bx

	/* The kernel's multiboot magic is at 1 MiB; without address line 20 this would read address 0. */
1:	mov	$0xffff, %ax
	mov	%ax, %fs
	cmpl	$0x1badb002, %fs:0x10
	jne	2f
	or	$A20, %bx

2:	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$0x08, $protected	/* the GDT register has kept its value */

on_int:	or	$INTERRUPT, %bx
	iret

vector_table:
	.word	0x3ff
	.long	0
scratch:
	.word	0
greeting:
	.ascii	"  hello from 16-bit code\n"
greeting_end:
real_mode_code_end:

	.code32
protected:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	mov	saved_esp, %esp
	lidt	saved_idt
	or	$BACK_AGAIN, %ebx
	mov	%ebx, 28(%esp)		/* eax of pusha: the function's value */
	popa
	ret

	.bss
	.balign	4
saved_esp:
	.skip	4
saved_idt:
	.skip	6

	.section .note.GNU-stack, "", @progbits
