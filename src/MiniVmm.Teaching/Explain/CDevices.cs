namespace MiniVmm.Teaching.Explain;

/// <summary>What is the same in every program of <see cref="CProgram"/>: its beginning, the devices, and the loop.</summary>
internal static class CDevices
{
    public const string Head = """
        #define _GNU_SOURCE
        #include <err.h>
        #include <fcntl.h>
        #include <linux/kvm.h>
        #include <pthread.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/eventfd.h>
        #include <sys/ioctl.h>
        #include <sys/mman.h>
        #include <time.h>
        #include <unistd.h>

        static int kvm, vm, run_size;
        static int vcpu[VCPUS];
        static struct kvm_run *run[VCPUS];

        /* Ends the program if a call failed; else gives what it returned. */
        static int must(int result, const char *what)
        {
        	if (result < 0)
        		err(4, "%s", what);
        	return result;
        }

        /* Ends the program if this KVM lacks something. */
        static void need(int capability, const char *name)
        {
        	if (ioctl(kvm, KVM_CHECK_EXTENSION, capability) <= 0)
        		errx(4, "this KVM lacks %s", name);
        }

        /* Memory slots, to find the guest's addresses in this process. */
        static struct { uint64_t start, size; unsigned char *host; } slots[32];
        static int slot_count;

        static uint64_t new_memory(uint64_t start, uint64_t size)
        {
        	void *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        	if (host == MAP_FAILED)
        		err(4, "mmap");
        	slots[slot_count].start = start;
        	slots[slot_count].size = size;
        	slots[slot_count++].host = host;
        	return (uintptr_t)host;
        }

        static void load(uint64_t address, const void *bytes, size_t size)
        {
        	for (int i = 0; i < slot_count; i++)
        		if (address >= slots[i].start && address - slots[i].start + size <= slots[i].size)
        			memcpy(slots[i].host + (address - slots[i].start), bytes, size);
        }

        /* Inputs of the interrupt controllers: KVM raises one when its eventfd is written to. */
        static int lines[24];

        static int new_line(int gsi)
        {
        	return lines[gsi] = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
        }

        static void new_vcpu(int index, int apic_id)
        {
        	vcpu[index] = must(ioctl(vm, KVM_CREATE_VCPU, apic_id), "KVM_CREATE_VCPU");
        	run[index] = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu[index], 0);
        	if (run[index] == MAP_FAILED)
        		err(4, "mmap of a vCPU");
        }

        """;

    public const string Loop = """
        /* ==== The devices, each as small as these kernels need it. ==== */

        static unsigned long exits_io[VCPUS], exits_mmio[VCPUS];
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

        /* The end, with the exit status of "minivmm run", and the number of exits. */
        static _Noreturn void end(int status, const char *why)
        {
        	unsigned long io = 0, mmio = 0;

        	for (int i = 0; i < VCPUS; i++) {
        		io += exits_io[i];
        		mmio += exits_mmio[i];
        	}
        	fflush(stdout);
        	fprintf(stderr, "end: %s; KVM_EXIT_IO %lu, KVM_EXIT_MMIO %lu\n", why, io, mmio);
        	_exit(status);
        }

        /* Serial ports, 16550As: what is written is sent at once, and nothing ever comes in. They interrupt when they can take another byte. */
        static struct uart {
        	int line, is_heard;			/* nobody listens to COM2 */
        	unsigned char ier, fcr, lcr, mcr, scratch, dll, dlm, empty;
        } com1 = { 4, 1, .lcr = 3, .mcr = 8, .dll = 1 }, com2 = { 3, 0, .lcr = 3, .mcr = 8, .dll = 1 };

        static int uart_interrupts(const struct uart *u)
        {
        	return u->ier & 0x02 && u->empty;
        }

        static void uart_write(struct uart *u, int reg, unsigned char value)
        {
        	int before = uart_interrupts(u);

        	switch (reg) {
        	case 0:
        		if (u->lcr & 0x80) {
        			u->dll = value;
        			break;
        		}
        		if (!(u->mcr & 0x10) && u->is_heard)	/* in loopback nothing leaves */
        			putchar(value);
        		u->empty = 1;
        		break;
        	case 1:
        		if (u->lcr & 0x80) {
        			u->dlm = value;
        			break;
        		}
        		u->empty |= value & ~u->ier & 0x02;	/* whoever asks is told at once */
        		u->ier = value & 0x0f;
        		break;
        	case 2: u->fcr = value & 1 ? value & 0xc9 : 0; break;
        	case 3: u->lcr = value; break;
        	case 4: u->mcr = value & 0x1f; break;
        	case 7: u->scratch = value; break;
        	}
        	if (!before && uart_interrupts(u))
        		eventfd_write(lines[u->line], 1);
        }

        static unsigned char uart_read(struct uart *u, int reg)
        {
        	unsigned char value;

        	switch (reg) {
        	case 0: return u->lcr & 0x80 ? u->dll : 0;
        	case 1: return u->lcr & 0x80 ? u->dlm : u->ier;
        	case 2:						/* why it interrupts; who reads that has been told */
        		value = (uart_interrupts(u) ? 0x02 : 0x01) | (u->fcr ? 0xc0 : 0);
        		u->empty &= !uart_interrupts(u);
        		return value;
        	case 3: return u->lcr;
        	case 4: return u->mcr;
        	case 5: return 0x60;				/* everything is sent */
        	case 6:						/* in loopback its own lines, else: somebody is at the other end */
        		return u->mcr & 0x10 ? (u->mcr & 0x0c) << 4 | (u->mcr & 0x02) << 3 | (u->mcr & 0x01) << 5 : 0xb0;
        	default: return u->scratch;
        	}
        }

        /* The clock chip: the time in UTC, as binary-coded decimals. */
        static unsigned char rtc_index;

        static unsigned char rtc_read(void)
        {
        	time_t now = time(NULL);
        	struct tm utc;
        	int value;

        	gmtime_r(&now, &utc);
        	switch (rtc_index) {
        	case 0: value = utc.tm_sec; break;
        	case 2: value = utc.tm_min; break;
        	case 4: value = utc.tm_hour; break;
        	case 6: value = utc.tm_wday + 1; break;
        	case 7: value = utc.tm_mday; break;
        	case 8: value = utc.tm_mon + 1; break;
        	case 9: value = utc.tm_year % 100; break;
        	case 10: return 0x26;
        	case 11: return 0x02;
        	case 13: return 0x80;
        	case 0x32: value = 19 + utc.tm_year / 100; break;
        	default: return 0;
        	}
        	return value / 10 * 16 + value % 10;
        }

        /* ACPI's timer, 3,579,545 ticks a second. */
        static uint32_t pm_timer(void)
        {
        	struct timespec now;

        	clock_gettime(CLOCK_MONOTONIC, &now);
        	return now.tv_sec * 3579545ull + now.tv_nsec * 3579545ull / 1000000000;
        }

        /*
         * The PCI bus. Its host bridge is alone on it, and is no more than this: what it is, and a few bits that may be written. Where no
         * function is, a bus reads as ones; that is how a kernel finds out.
         */
        static uint32_t pci_address;		/* port 0xcf8: enable, bus, device and function, register */
        static unsigned char bridge[256] = { 0x36, 0x1b, 0x08, 0x00, [0x0b] = 0x06 };	/* Red Hat's, class: host bridge */
        static const unsigned char bridge_writable[256] = { [0x04] = 0x04, [0x05] = 0x04, [0x0c] = 0xff };

        static void pci_access(uint32_t function, uint32_t reg, unsigned char *data, uint32_t size, int is_write)
        {
        	for (uint32_t i = 0; i < size; i++, reg++) {
        		if (function != 0 || reg >= sizeof(bridge)) {
        			if (!is_write)
        				data[i] = 0xff;
        		} else if (is_write) {
        			bridge[reg] = (bridge[reg] & ~bridge_writable[reg]) | (data[i] & bridge_writable[reg]);
        		} else {
        			data[i] = bridge[reg];
        		}
        	}
        }

        /* Ports 0xcfc to 0xcff: the doubleword of configuration space that 0xcf8 names. */
        static void pci_data(int port, int size, uint32_t *value, int is_write)
        {
        	if (pci_address >> 31)
        		pci_access(pci_address >> 8 & 0xffff, (pci_address & 0xfc) + port - 0xcfc, (unsigned char *)value, size, is_write);
        }

        static uint16_t pm_enable, pm_control = 1;
        static unsigned char crtc_index, crtc[256];

        static void port_write(int port, int size, uint32_t value)
        {
        	if (port >= 0x3f8 && port <= 0x3ff)
        		uart_write(&com1, port - 0x3f8, value);
        	else if (COM2 && port >= 0x2f8 && port <= 0x2ff)
        		uart_write(&com2, port - 0x2f8, value);
        	else if (port == 0xf4)		/* debug exit */
        		end((value << 1 | 1) & 0xff, "debug exit");
        	else if (port == 0x604 && size == 2 && value & 1 << 13)
        		end(0, "power-off");	/* ACPI: SLP_EN */
        	else if (port == 0x604)
        		pm_control = value | 1;
        	else if (port == 0x602)
        		pm_enable = value;
        	else if ((port == 0x64 && value == 0xfe) || (port == 0xcf9 && value & 4) || (port == 0x92 && value & 1))
        		end(0, "reset");
        	else if (port == 0x70)
        		rtc_index = value & 0x7f;
        	else if (port == 0xcf8 && size == 4)
        		pci_address = value;
        	else if (port >= 0xcfc && port <= 0xcff)
        		pci_data(port, size, &value, 1);
        	else if (port == 0xe9)
        		putchar(value);		/* debug console */
        	else if (port == 0x3d4)
        		crtc_index = value;
        	else if (port == 0x3d5)
        		crtc[crtc_index] = value;
        }

        static uint32_t port_read(int port, int size)
        {
        	uint32_t value = ~0u;		/* where nothing is, a bus reads as ones */

        	if (port >= 0x3f8 && port <= 0x3ff)
        		return uart_read(&com1, port - 0x3f8);
        	if (COM2 && port >= 0x2f8 && port <= 0x2ff)
        		return uart_read(&com2, port - 0x2f8);
        	if (port >= 0xcfc && port <= 0xcff)
        		pci_data(port, size, &value, 0);
        	switch (port) {
        	case 0x60: return 0;
        	case 0x64: return 0x14;		/* the keyboard controller: nothing has come in */
        	case 0x70: return rtc_index;
        	case 0x71: return rtc_read();
        	case 0x92: return 0x02;		/* address line 20 is open */
        	case 0xe9: return 0xe9;
        	case 0x600: return 0;
        	case 0x602: return pm_enable;
        	case 0x604: return pm_control;
        	case 0x608: return pm_timer();
        	case 0xcf8: return size == 4 ? pci_address : value;
        	case 0x3d4: return crtc_index;
        	case 0x3d5: return crtc[crtc_index];
        	}
        	return value;
        }

        /* One KVM_EXIT_IO: a string instruction is several accesses of one size. */
        static void serve_io(struct kvm_run *r)
        {
        	unsigned char *data = (unsigned char *)r + r->io.data_offset;

        	for (uint32_t i = 0; i < r->io.count; i++, data += r->io.size) {
        		uint32_t value = 0;

        		if (r->io.direction == KVM_EXIT_IO_OUT) {
        			memcpy(&value, data, r->io.size);
        			port_write(r->io.port, r->io.size, value);
        		} else {
        			value = port_read(r->io.port, r->io.size);
        			memcpy(data, &value, r->io.size);
        		}
        	}
        }

        /* One KVM_EXIT_MMIO: configuration space has 4 KiB for each function, and no other device is in memory here. */
        static void serve_mmio(struct kvm_run *r)
        {
        	uint64_t at = r->mmio.phys_addr - ECAM;

        	if (ECAM != 0 && at >> 20 == 0)
        		pci_access(at >> 12, at & 0xfff, r->mmio.data, r->mmio.len, r->mmio.is_write);
        	else if (!r->mmio.is_write)
        		memset(r->mmio.data, 0xff, sizeof(r->mmio.data));
        }

        /* ==== The loop, on a thread for each vCPU. ==== */

        static void *run_vcpu(void *argument)
        {
        	int index = (intptr_t)argument;
        	struct kvm_run *r = run[index];

        	while (1) {
        		if (ioctl(vcpu[index], KVM_RUN, 0) < 0)
        			continue;	/* EAGAIN: it waits for INIT and SIPI; EINTR: a signal */
        		pthread_mutex_lock(&lock);
        		switch (r->exit_reason) {
        		case KVM_EXIT_IO:
        			exits_io[index]++;
        			serve_io(r);
        			break;
        		case KVM_EXIT_MMIO:
        			exits_mmio[index]++;
        			serve_mmio(r);
        			break;
        		case KVM_EXIT_SHUTDOWN:
        			end(6, "triple fault (KVM_EXIT_SHUTDOWN)");
        		case KVM_EXIT_INTERNAL_ERROR:
        			end(6, "KVM_EXIT_INTERNAL_ERROR");
        		case KVM_EXIT_FAIL_ENTRY:
        			end(6, "KVM_EXIT_FAIL_ENTRY");
        		}
        		pthread_mutex_unlock(&lock);
        	}
        }

        int main(void)
        {
        	build();
        	for (intptr_t i = 0; i < VCPUS; i++) {
        		pthread_t thread;

        		if (pthread_create(&thread, NULL, run_vcpu, (void *)i))
        			errx(4, "no thread for a vCPU");
        	}
        	while (TIMEOUT == 0)
        		pause();
        	nanosleep(&(struct timespec) { TIMEOUT / 1000, TIMEOUT % 1000 * 1000000 }, NULL);
        	pthread_mutex_lock(&lock);
        	end(124, "timeout");
        }

        """;
}
