/*
 * The smallest kernels: entered by no boot protocol, and told nothing. Built with BITS as 16, 32 or 64, which is the
 * mode that each expects and checks: the first two control bits, and that it can print. Runs wherever it is loaded.
 */
#define PORT_COM1	0x3f8
#define PORT_DEBUG_EXIT	0xf4
#define PORT_PM1A	0x604

	.text
	.globl	start
start:
#if BITS == 16
	.code16
	smsw	%ax
	and	$1, %ax			/* CR0.PE */
	jnz	wrong
	cmp	$0x80, %dl		/* the drive that a BIOS would have booted from */
	jne	wrong
	call	here
here:	pop	%si
	add	$text - here, %si
#elif BITS == 32
	.code32
	mov	%cr0, %eax
	and	$0x80000001, %eax	/* CR0.PG and PE */
	cmp	$1, %eax
	jne	wrong
	call	here
here:	pop	%esi
	add	$text - here, %esi
#else
	.code64
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	test	$1 << 10, %eax		/* LMA */
	jz	wrong
	lea	text(%rip), %rsi
#endif
	cld
	mov	$PORT_COM1, %dx
1:	lodsb
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:	mov	$PORT_PM1A, %dx		/* sleep type 0, sleep enable */
	mov	$0x2000, %ax
	out	%ax, %dx
wrong:	mov	$1, %al
	out	%al, $PORT_DEBUG_EXIT
	hlt

#define STRING(x)	#x
#define TEXT(bits)	"bare: entered in " STRING(bits) "-bit mode\nbare: ok\n"
text:	.asciz	TEXT(BITS)

	.section .note.GNU-stack, "", @progbits
