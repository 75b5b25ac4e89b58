# Long mode: PAE, tables of four levels, EFER.LME, PG, and 64-bit code.
	.globl _start
	.balign	16
	.long	0x1badb002, 0, -0x1badb002	# multiboot header

_start:
	lgdt	gdt_pointer
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$0x20, %eax		# CR4.PAE
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx	# EFER
	rdmsr
	or	$0x100, %eax		# LME: long mode, once there is paging
	wrmsr
	mov	%cr0, %eax
	or	$0x80000000, %eax	# CR0.PG: long mode, but 32-bit code
	mov	%eax, %cr0
	ljmp	$0x08, $long		# CS.L: 64-bit code

	.code64
long:	movabs	$0x0a343600000000, %rax	# "64\n" in the upper half,
	mov	%rax, %r8		# a register that 32-bit code has not
	shr	$32, %r8
	mov	$0x3f8, %edx
1:	mov	%r8, %rax
	out	%al, %dx
	shr	$8, %r8
	jnz	1b
	mov	$0x604, %edx
	mov	$0x2000, %eax
	out	%ax, %dx

	.balign 8
gdt:	.quad	0
	.quad	0x00209b0000000000	# 0x08: code, present, L
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.balign	4096
pml4:	.long	pdpt + 3, 0		# present, writable
	.fill	511, 8, 0
pdpt:	.long	pd + 3, 0
	.fill	511, 8, 0
pd:	.long	0x83, 0			# 2 MiB from 0: present, writable, large
	.fill	511, 8, 0
