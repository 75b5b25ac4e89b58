/*
 * A boot sector that firmware loads to 0:7c00: says by int 10h from which drive, reads more of it by int 13h, writes to it
 * where it can, and powers off. The same code boots a disk, a floppy and a CD without emulation. With SERIAL it prints on COM1
 * itself, as kernels do, and ends by isa-debug-exit where it can.
 */
	.code16
	.globl	boot
boot:	ljmp	$0, $(0x7c00 + start - boot)
start:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cld
	mov	%dl, drive
#ifdef SERIAL
	call	ticks			/* or the rest of firmware's text comes between */
#endif
	mov	$from, %si
	call	print
	mov	drive, %al
	shr	$4, %al
	call	digit
	mov	drive, %al
	and	$15, %al
	call	digit
	mov	$newline, %si
	call	print
	cmpb	$0xe0, drive
	jae	cd

	/* Cylinder 0, head 0, sector 2. */
	mov	$0x0201, %ax
	mov	$0x0002, %cx
	call	transfer
	jc	failed
	mov	$0x8000, %si
	call	print
	/* To the third sector and back. */
	movl	$0x6b6f6f6b, 0x8000
	mov	$0x0301, %ax
	mov	$0x0003, %cx
	call	transfer
	jc	read_only
	movl	$0, 0x8000
	mov	$0x0201, %ax
	mov	$0x0003, %cx
	call	transfer
	jc	failed
	cmpl	$0x6b6f6f6b, 0x8000
	jne	failed
	mov	$written, %si
	call	print
	jmp	done
read_only:
	mov	$refused, %si
	call	print
	jmp	done

cd:	mov	$packet, %si
	mov	$0x42, %ah
	mov	drive, %dl
	int	$0x13
	jc	failed
	movb	$13, 0x8006
	movb	$10, 0x8007
	movb	$0, 0x8008
	mov	$0x8001, %si		/* the volume descriptor's "CD001" */
	call	print

done:	mov	$fine, %si
	call	print
	jmp	off
failed:	mov	$bad, %si
	call	print
off:
#ifndef SERIAL
	call	ticks
#else
	mov	$0x10, %al		/* isa-debug-exit, where there is one: where projects put it, and where QEMU does */
	out	%al, $0xf4
	mov	$0x501, %dx
	out	%al, %dx
#endif
	mov	$0x604, %dx		/* ACPI's S5 */
	mov	$0x2000, %ax
	out	%ax, %dx
1:	hlt
	jmp	1b

/* A screen on a serial port is written at the timer's ticks: some of these. */
ticks:	mov	$8, %cx
	sti
1:	hlt
	loop	1b
	ret

/* int 13h function ax for sector cx of head 0, at 0:8000 */
transfer:
	mov	$0x8000, %bx
	xor	%dh, %dh
	mov	drive, %dl
	int	$0x13
	ret

digit:	add	$'0', %al
	cmp	$'9', %al
	jbe	letter
	add	$('a' - '9' - 1), %al
letter:
#ifdef SERIAL
	mov	%al, %ah
	mov	$0x3fd, %dx
1:	in	%dx, %al		/* until there is room */
	test	$0x20, %al
	jz	1b
	mov	%ah, %al
	mov	$0x3f8, %dx
	out	%al, %dx
#else
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
#endif
	ret

print:	lodsb
	test	%al, %al
	jz	1f
	call	letter
	jmp	print
1:	ret

drive:	.byte	0
from:	.asciz	"boot: drive "
written: .asciz	"boot: written\r\n"
refused: .asciz	"boot: not written\r\n"
fine:	.asciz	"boot: ok\r\n"
bad:	.asciz	"boot: FAILED"
newline: .asciz	"\r\n"
	.balign	4
packet:	.byte	16, 0
	.word	1, 0x8000, 0
	.quad	16
	.org	boot + 510
	.word	0xaa55
	.asciz	"boot: second sector\r\n"
	.org	boot + 2048
