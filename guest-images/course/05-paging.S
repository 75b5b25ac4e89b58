# Page tables by hand: the same memory at two addresses, and one address too many.
	.globl _start
	.balign	16
	.long	0x1badb002, 0, -0x1badb002	# multiboot header

_start:
	mov	$pml4, %eax
	mov	%eax, %cr3		# where the tables begin
	mov	%cr4, %eax
	or	$0x20, %eax		# CR4.PAE: entries of 8 bytes
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx	# EFER
	rdmsr
	or	$0x100, %eax		# LME: four levels of tables
	wrmsr
	mov	%cr0, %eax
	or	$0x80000000, %eax	# CR0.PG: from here on, each address is looked up
	mov	%eax, %cr0

	movb	$'!', word + 2		# at 1 MiB, where this code is,
	mov	$word + 0xc0000000, %esi	# and at 3 GiB + 1 MiB
	mov	$4, %ecx
	mov	$0x3f8, %edx
1:	lodsb
	out	%al, %dx
	loop	1b
	mov	$0xc0200004, %esp	# the next 2 MiB are not there:
	push	%eax			# writes to 0xc0200000
	mov	$0x604, %edx		# not reached
	mov	$0x2000, %eax
	out	%ax, %dx

word:	.ascii	"OK?\n"

	.balign	4096
pml4:	.long	pdpt + 3, 0		# the first 512 GiB: present, writable
	.fill	511, 8, 0
pdpt:	.long	pd + 3, 0		# 0 to 1 GiB
	.fill	2, 8, 0
	.long	pd + 3, 0		# 3 to 4 GiB: the same directory
	.fill	508, 8, 0
pd:	.long	0x83, 0			# 2 MiB from 0: present, writable, large
	.fill	511, 8, 0
