/* The boot sector on a CD (ECMA-119; El Torito 1.0): volume descriptors, a boot catalog, and no files. */
	.set	SECTOR, 2048
image:
	.org	image + 16 * SECTOR
	.byte	1
	.ascii	"CD001\1"
	.org	image + 17 * SECTOR
	.byte	0
	.ascii	"CD001\1EL TORITO SPECIFICATION"
	.org	image + 17 * SECTOR + 0x47
	.long	19
	.org	image + 18 * SECTOR
	.byte	255
	.ascii	"CD001\1"
	.org	image + 19 * SECTOR
	.byte	1, 0, 0, 0
	.org	image + 19 * SECTOR + 28
	.word	0x55aa, 0xaa55
	.byte	0x88, 0			/* bootable, no emulation */
	.word	0, 0, 4			/* to 0:7c00, four sectors of 512 bytes */
	.long	20
	.org	image + 20 * SECTOR
	.incbin	"boot.bin"
	.org	image + 32 * SECTOR
