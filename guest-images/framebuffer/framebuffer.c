/*
 * Asks its multiboot loader for a framebuffer of 640 by 480 dots and draws to it: a frame of one dot in white, and in it stripes of
 * red, green, blue and their shades. The size that it got goes to the serial port. Powers off, or waits with --append hold. With
 * dispi it looks for a graphics adapter of Bochs' on the PCI bus, and sets a mode of its own: 320 by 200; with ramfb it draws to its
 * own RAM, and tells QEMU's firmware configuration where.
 */
#include "fw_cfg.h"
#include "kernel.h"
#include "pci.h"
#include "text.h"

#define DIRECT_COLOUR		1
#define WHITE			0xffffff

#define BOCHS_ADAPTER		0x11111234
#define DISPI_INDEX		0x1ce
#define DISPI_DATA		0x1cf
#define DISPI_ON		0x41	/* with a linear framebuffer */

const char kernel_name[] = "framebuffer";

static void dispi(uint16_t reg, uint16_t value)
{
	outw(DISPI_INDEX, reg);
	outw(DISPI_DATA, value);
}

static const struct boot_screen *set_mode(void)
{
	static struct boot_screen screen = { .pitch = 320 * 4, .width = 320, .height = 200, .bits = 32, .type = DIRECT_COLOUR };
	unsigned function = 0;
	while (pci_port_read(function, PCI_VENDOR, 4) != BOCHS_ADAPTER)
		if (++function == PCI_FUNCTIONS)
			fail("there is no graphics adapter");
	screen.address = pci_port_read(function, PCI_BAR, 4) & ~15u;
	dispi(4, 0);
	dispi(1, screen.width);
	dispi(2, screen.height);
	dispi(3, screen.bits);
	dispi(4, DISPI_ON);
	return &screen;
}

static const struct boot_screen *set_ram(void)
{
	static uint32_t dots[320 * 200] __attribute__((aligned(4096)));
	static struct boot_screen screen = { .pitch = 320 * 4, .width = 320, .height = 200, .bits = 32, .type = DIRECT_COLOUR };
	static struct { uint32_t address[2], format, flags, width, height, pitch; } file;
	uint16_t number = fw_cfg_is_there() ? fw_cfg_find("etc/ramfb") : 0;
	if (!number)
		fail("there is no file etc/ramfb");
	screen.address = (uintptr_t)dots;
	file.address[1] = __builtin_bswap32((uint32_t)screen.address);
	file.format = __builtin_bswap32(0x34325258);	/* XR24 */
	file.width = __builtin_bswap32(screen.width);
	file.height = __builtin_bswap32(screen.height);
	file.pitch = __builtin_bswap32(screen.pitch);
	if (!fw_cfg_write(number, &file, sizeof(file)))
		fail("etc/ramfb cannot be written");
	return &screen;
}

/* Few instructions a dot: where KVM emulates them, each costs half a microsecond. */
static void draw_line(volatile uint32_t *line, const struct boot_screen *video, uint32_t y)
{
	bool edge = !y || y == video->height - 1;
	uint32_t shade = 255 * y / video->height;
	uint32_t x = 0;
	for (unsigned stripe = 0; stripe < 3; stripe++) {
		uint32_t colour = edge ? WHITE : shade << 8 * (2 - stripe);
		uint32_t end = (video->width * (stripe + 1) + 2) / 3;
		while (x < end)
			line[x++] = colour;
	}
	line[0] = line[video->width - 1] = WHITE;
}

void kernel_main(const struct boot *boot)
{
	const struct boot_screen *video = word_is(boot->arguments, "dispi") ? set_mode()
		: word_is(boot->arguments, "ramfb") ? set_ram() : boot->screen;
	if (!video)
		fail("the loader gave no framebuffer");
	print("%s: %ux%u, %u bits, type %u\n", kernel_name, video->width, video->height, video->bits, video->type);
	if (video->type != DIRECT_COLOUR || video->bits != 32)
		fail("the framebuffer is not of 32 bits a dot");

	for (uint32_t y = 0; y < video->height; y++)
		draw_line((volatile uint32_t *)(uintptr_t)(video->address + (uint64_t)y * video->pitch), video, y);
	if (word_is(boot->arguments, "hold")) {
		print("%s: drawn\n", kernel_name);
		while (true)
			asm volatile("cli; hlt");
	}
	succeed();
}
