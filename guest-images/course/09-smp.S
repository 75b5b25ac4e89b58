# Two processors: one wakes the other with two messages, and the other says so.
	.code16
	.globl _start
_start:	mov	$0x1b, %ecx		# IA32_APIC_BASE
	rdmsr
	or	$0xc00, %eax		# the local APIC by MSRs: x2APIC
	wrmsr
	mov	$0x830, %ecx		# its interrupt command register
	mov	$1, %edx		# to APIC id 1
	mov	$0x4500, %eax		# INIT
	wrmsr
	mov	$0x4608, %eax		# SIPI: begin at page 8
	wrmsr
1:	pause
	cmpb	$0, %cs:came
	je	1b
	mov	$0x3f8, %dx
	mov	$'0', %al
	out	%al, %dx
	mov	$'\n', %al
	out	%al, %dx
	mov	$0x604, %dx		# ACPI: off
	mov	$0x2000, %ax
	out	%ax, %dx
came:	.byte	0

	.org	0x400			# address 0x8000, where page 8 begins
	xor	%ax, %ax		# cs is 0x800, ip 0
	mov	%ax, %ds
	mov	$0x3f8, %dx
	mov	$'1', %al
	out	%al, %dx
	movb	$1, came
	cli
2:	hlt
	jmp	2b
