/*
 * Asks its multiboot loader for a framebuffer of 640 by 480 dots and draws to it: a frame of one dot in white, and in it stripes of
 * red, green, blue and their shades. The size that it got goes to the serial port. Powers off, or waits with --append hold.
 */
#include "kernel.h"
#include "text.h"

#define DIRECT_COLOUR		1
#define WHITE			0xffffff

const char kernel_name[] = "framebuffer";

static uint32_t colour(const struct boot_screen *video, uint32_t x, uint32_t y)
{
	if (!x || !y || x == video->width - 1 || y == video->height - 1)
		return WHITE;
	uint32_t shade = 255 * y / video->height;
	return shade << 8 * (2 - 3 * x / video->width);
}

void kernel_main(const struct boot *boot)
{
	const struct boot_screen *video = boot->screen;
	if (!video)
		fail("the loader gave no framebuffer");
	print("%s: %ux%u, %u bits, type %u\n", kernel_name, video->width, video->height, video->bits, video->type);
	if (video->type != DIRECT_COLOUR || video->bits != 32)
		fail("the framebuffer is not of 32 bits a dot");

	for (uint32_t y = 0; y < video->height; y++) {
		volatile uint32_t *line = (volatile uint32_t *)(uintptr_t)(video->address + (uint64_t)y * video->pitch);
		for (uint32_t x = 0; x < video->width; x++)
			line[x] = colour(video, x, y);
	}
	if (word_is(boot->arguments, "hold")) {
		print("%s: drawn\n", kernel_name);
		while (true)
			asm volatile("cli; hlt");
	}
	succeed();
}
