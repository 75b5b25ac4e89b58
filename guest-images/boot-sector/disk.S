/* The boot sector as a floppy of 1.44 MB, or the start of a disk. */
image:	.incbin	"boot.bin"
	.org	image + 2880 * 512
