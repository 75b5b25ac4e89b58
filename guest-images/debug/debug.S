/*
 * From PVH's entry, in 32-bit mode without paging, to a kernel in the higher half; and the same for the other processor, which
 * starts in real mode.
 */
#define TRAMPOLINE	0x8000
#define EFER		0xc0000080

	.section .note.Xen, "a", @note
	.align	4
	.long	4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	start32

	.section .boot, "awx", @progbits
	.code32
	.globl	start32
	.type	start32, @function
start32:
	mov	%ebx, start_info
	call	before_paging
	lgdt	gdtr
	mov	$start64, %edi
	jmp	enter_long_mode
	.size	start32, . - start32

	/* For a breakpoint. */
	.globl	before_paging
	.type	before_paging, @function
before_paging:
	mov	$0x1234, %eax
	ret
	.size	before_paging, . - before_paging

	/* On to %edi, in long mode. */
enter_long_mode:
	mov	%cr4, %eax
	or	$1 << 5, %eax			/* PAE */
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	rdmsr
	or	$1 << 8, %eax			/* LME */
	wrmsr
	mov	%cr0, %eax
	or	$1 << 31 | 1, %eax
	mov	%eax, %cr0
	ljmp	$0x08, $1f
	.code64
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%edi, %edi
	jmp	*%rdi

start64:
	mov	$stack_top, %rsp
	mov	start_info, %edi
	movabs	$high_main, %rax
	call	*%rax

ap64:
	mov	$ap_stack_top, %rsp
	movabs	$ap_main, %rax
	call	*%rax

	.code32
ap32:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	$ap64, %edi
	jmp	enter_long_mode

	.code16
	.globl	trampoline, trampoline_end
trampoline:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	TRAMPOLINE + (2f - trampoline)
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$0x18, $ap32
	.align	4
2:	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:

	.align	8
gdt:	.quad	0
	.quad	0x00af9b000000ffff		/* 0x08: 64-bit code */
	.quad	0x00cf93000000ffff		/* 0x10: data */
	.quad	0x00cf9b000000ffff		/* 0x18: 32-bit code */
gdt_end:
gdtr:	.word	gdt_end - gdt - 1
	.long	gdt
start_info:
	.long	0

	/* The first 4 GiB where they are, and the first one in the higher half. */
	.balign	4096
pml4:	.quad	low + 3
	.fill	510, 8, 0
	.quad	high + 3
low:	.quad	pages + 3, pages + 0x1003, pages + 0x2003, pages + 0x3003
	.fill	508, 8, 0
high:	.fill	510, 8, 0
	.quad	pages + 3
	.quad	0
pages:
	.set	page, 0
	.rept	2048
	.quad	page + 0x83			/* present, writable, 2 MiB */
	.set	page, page + 0x200000
	.endr

	/* What unpack() copies to unpacked(). */
	.section .rodata, "a"
	.code64
	.globl	packed, packed_end
packed:	.rept	6
	nop
	.endr
	ret
packed_end:

	.section .data
	.globl	unpacked, unpacked_1, unpacked_2, unpacked_3, unpacked_4, unpacked_5, unpacked_6
	.type	unpacked, @function
unpacked:
unpacked_1: .byte 0
unpacked_2: .byte 0
unpacked_3: .byte 0
unpacked_4: .byte 0
unpacked_5: .byte 0
unpacked_6: .byte 0, 0
	.size	unpacked, . - unpacked

	.section .bss
	.balign	16
	.skip	8192
stack_top:
	.skip	8192
ap_stack_top:

	.section .note.GNU-stack, "", @progbits
