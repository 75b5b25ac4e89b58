# Interrupts of three sources: the PIT and COM1 through the PIC, and the local APIC's own timer.
	.code16
	.globl _start
_start:	xor	%ax, %ax
	mov	%ax, %ds
	movl	$on_pit, 0x08 * 4	# a BIOS has the PIC's inputs 0 to 7 at vectors 8 to 15
	movl	$on_com1, 0x0c * 4
	movl	$on_apic, 0x30 * 4

	mov	$0xfe, %al		# 1. the PIC: input 0 alone
	out	%al, $0x21
	mov	$11932 & 0xff, %al	# the PIT: 1193182 Hz / 11932 = 100 Hz
	out	%al, $0x40
	mov	$11932 >> 8, %al
	out	%al, $0x40
	call	three

	mov	$0xef, %al		# 2. the PIC: input 4 alone
	out	%al, $0x21
	mov	$0x3f9, %dx
	mov	$2, %al			# COM1: interrupt when you can take a byte, which is now
	out	%al, %dx
	call	one

	mov	$0xff, %al		# 3. the PIC: nothing
	out	%al, $0x21
	mov	$0x1b, %ecx		# IA32_APIC_BASE
	rdmsr
	or	$0xc00, %eax		# the local APIC's registers as MSRs: x2APIC
	wrmsr
	xor	%edx, %edx
	mov	$0x80f, %ecx		# on; 0xff is the vector of spurious interrupts
	mov	$0x1ff, %eax
	wrmsr
	mov	$0x832, %ecx		# the timer: periodic, vector 0x30
	mov	$0x20030, %eax
	wrmsr
	mov	$0x838, %ecx		# from here down to 0, at half of KVM's 1 GHz
	mov	$5000000, %eax
	wrmsr
	call	three
	mov	$0x604, %dx		# ACPI: off
	mov	$0x2000, %ax
	out	%ax, %dx

three:	call	one
	call	one
one:	sti
	hlt				# until one interrupt has been handled
	ret

on_pit:	mov	$0x3f8, %dx
	mov	$'P', %al
	out	%al, %dx
	mov	$0x20, %al		# PIC: end of interrupt
	out	%al, $0x20
	lret	$2			# iret, but without the flags: interrupts stay off

on_com1:
	mov	$0x3f9, %dx
	mov	$0, %al			# COM1: no more of them
	out	%al, %dx
	dec	%dx
	mov	$'C', %al
	out	%al, %dx
	mov	$0x20, %al		# PIC: end of interrupt
	out	%al, $0x20
	lret	$2			# iret, but without the flags: interrupts stay off

on_apic:
	mov	$0x3f8, %dx
	mov	$'A', %al
	out	%al, %dx
	mov	$0x80b, %ecx		# local APIC: end of interrupt
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	lret	$2			# iret, but without the flags: interrupts stay off
