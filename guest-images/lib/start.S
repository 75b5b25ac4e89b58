/*
 * The first instructions of every kernel here. A multiboot loader and a PVH loader enter in the same way:
 * 32-bit protected mode, paging off, flat segments, interrupts off. They differ in the registers:
 * multiboot has eax = 0x2badb002 (multiboot 2: 0x36d76289) and its information structure in ebx, PVH has
 * hvm_start_info in ebx.
 *
 * Built once as it is, once with PVH (a note instead of a multiboot header), once with FLAT (a header that
 * itself says where the bytes go, so that the file need not be ELF), once with MULTIBOOT2 (its header, with
 * FLAT or VIDEO too), once with VIDEO (a header that wants a framebuffer), and once as 64-bit code.
 */
#define STACK_SIZE	16384

#ifdef PVH
	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 4, 18		/* length of the name, length of the value, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	start
#elif defined(MULTIBOOT2)
	.section .multiboot, "a"
	.balign	8
header:	.long	0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
	.word	1, 0			/* what we need to know: command line, modules, memory map */
	.long	20, 1, 3, 6
	.balign	8
	.word	1, 1			/* and if there is such a thing: EFI's memory map */
	.long	12, 17
	.balign	8
#ifdef FLAT
	.word	2, 0			/* where the bytes go */
	.long	24, header, image_start, image_load_end, image_end
	.word	3, 0
	.long	12, start
	.balign	8
#endif
	.word	4, 0			/* a text screen will do */
	.long	12, 2
	.balign	8
#ifdef VIDEO
	.word	5, 0			/* but dots would be better */
	.long	20, 640, 480, 32
	.balign	8
#endif
	.word	6, 0			/* modules on page boundaries */
	.long	8
	.word	0, 0
	.long	8
header_end:
#else
#define MAGIC		0x1badb002
#ifdef FLAT
#define FLAGS		0x10003		/* bit 16: the five addresses below are valid */
#elif defined(VIDEO)
#define FLAGS		0x00007		/* bit 2: we need a video mode */
#else
#define FLAGS		0x00003		/* bit 0: modules on page boundaries, bit 1: we need the memory map */
#endif
	.section .multiboot, "a"
	.balign	4
header:	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)
#ifdef FLAT
	.long	header, image_start, image_load_end, image_end, start
#elif defined(VIDEO)
	.long	0, 0, 0, 0, 0
	.long	0, 640, 480, 32		/* dots rather than letters */
#endif
#endif

	.text
	.code32
	.globl	start
start:	cli
	cld
	mov	$stack_top, %esp
	mov	%eax, %esi
	lgdt	gdt_pointer		/* the loader's own GDT need not stay valid */
	ljmp	$0x08, $1f
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs

#ifndef __x86_64__
	push	%ebx
	push	%esi
	call	start_c			/* start_c(eax, ebx): never returns */
#else
	/* Long mode needs paging: identity-map the first 4 GiB with 2 MiB pages. */
	movl	$boot_pdpt + 3, boot_pml4
	movl	$boot_pd + 0x0003, boot_pdpt
	movl	$boot_pd + 0x1003, boot_pdpt + 8
	movl	$boot_pd + 0x2003, boot_pdpt + 16
	movl	$boot_pd + 0x3003, boot_pdpt + 24
	mov	$boot_pd, %edi
	mov	$0x83, %eax		/* present, writable, 2 MiB page */
2:	mov	%eax, (%edi)
	add	$8, %edi
	add	$0x200000, %eax
	cmp	$boot_pd + 0x4000, %edi
	jb	2b
	mov	$boot_pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$1 << 5, %eax		/* CR4.PAE */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$1 << 8, %eax		/* EFER.LME */
	wrmsr
	mov	%cr0, %eax
	or	$1 << 31, %eax		/* CR0.PG */
	mov	%eax, %cr0
	ljmp	$0x18, $3f
	.code64
3:	mov	%esi, %edi
	mov	%ebx, %esi
	call	start_c

	.bss
	.balign	4096
	.globl	boot_pdpt
boot_pml4:	.skip	4096
boot_pdpt:	.skip	4096
boot_pd:	.skip	4 * 4096
#endif

	.data
	.balign	8
	.globl	gdt, gdt_pointer
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 0x08: 32-bit code, base 0, 4 GiB */
	.quad	0x00cf93000000ffff	/* 0x10: data, base 0, 4 GiB */
	.quad	0x00af9b000000ffff	/* 0x18: 64-bit code */
	.quad	0x00009b000000ffff	/* 0x20: 16-bit code, base 0, 64 KiB (for the way to real mode) */
	.quad	0x000093000000ffff	/* 0x28: 16-bit data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
	.long	0			/* lgdt in 64-bit mode reads 8 bytes of base */

	.bss
	.balign	16
	.skip	STACK_SIZE
stack_top:

	.section .note.GNU-stack, "", @progbits
