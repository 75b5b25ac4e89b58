// A virtual machine monitor of one file, on MiniVmm.Kvm alone: it boots the project's test kernels.
//
//   tiny-vmm KERNEL.elf [COMMAND LINE]
//
// The numbers are those of the course's lessons (docs/course) that say why each step is there.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Kvm;

if (args.Length is < 1 or > 2)
{
    Console.Error.WriteLine("usage: tiny-vmm KERNEL.elf [COMMAND LINE]");
    return 2;
}

using TinyVmm vmm = new(ram: 64 << 20);
vmm.Load(File.ReadAllBytes(args[0]), $"{args[0]} {args.ElementAtOrDefault(1)}");
return vmm.Run();

/// <summary>A PC with one processor, a serial port that only prints, and two ways to end.</summary>
internal sealed unsafe class TinyVmm : IDisposable
{
    private const int Page = 4096;

    // Guest-physical addresses: what the kernel is told lies below 1 MiB, where kernels are not.
    private const int Stack = 0x8ff0, Info = 0x10000, CommandLine = 0x20000;

    // Ports: COM1's data and line status, the debug exit, and the power-off of a PC without ACPI.
    private const ushort Data = 0x3f8, LineStatus = 0x3fd, DebugExit = 0xf4, PowerOff = 0x604;

    private readonly KvmSystem _kvm;
    private readonly KvmVm _vm;
    private readonly KvmVcpu _vcpu;
    private readonly byte* _ram;
    private readonly int _size;
    private readonly Stream _output = Console.OpenStandardOutput();

    /// <param name="ram">Bytes of guest RAM.</param>
    public TinyVmm(int ram)
    {
        // Lesson 1: a machine, its memory, its interrupt controllers, a processor.
        _kvm = KvmSystem.Open();
        _vm = _kvm.CreateVm();
        _vm.SetTssAddress(0xfffb_d000);
        _size = ram;
        _ram = (byte*)NativeMemory.AlignedAlloc((nuint)ram, Page);
        NativeMemory.Clear(_ram, (nuint)ram);
        _vm.SetUserMemoryRegion(slot: 0, guestAddress: 0, (ulong)ram, (nint)_ram);
        _vm.CreateIrqChip(); // lesson 7
        _vm.CreatePit2();
        _vcpu = _vm.CreateVcpu(0);

        // Lesson 10: what its processor can do is what KVM offers; which one it is, KVM leaves as this host's.
        kvm_cpuid_entry2[] leaves = _kvm.GetSupportedCpuid();
        foreach (ref kvm_cpuid_entry2 leaf in leaves.AsSpan())
        {
            switch (leaf.function)
            {
                case 1:
                    leaf.ebx &= 0x0000_ffff; // APIC id 0, of one processor
                    break;
                case 0xb:
                    leaf.edx = 0;
                    break;
                case 0x8000_001e:
                    (leaf.eax, leaf.ebx) = (0, 0);
                    break;
            }
        }

        _vcpu.SetCpuid2(leaves);
    }

    private Span<byte> Ram => new(_ram, _size);

    /// <summary>Puts a kernel and what it is told into memory, and the processor before its first instruction.</summary>
    /// <param name="kernel">A 32-bit ELF file with a multiboot header.</param>
    /// <param name="line">Its command line.</param>
    public void Load(ReadOnlySpan<byte> kernel, string line)
    {
        uint entry = LoadElf(kernel);

        // Multiboot 0.6.96, 3.3: what memory there is, and the command line.
        Encoding.UTF8.GetBytes(line + '\0', Ram[CommandLine..]);
        Put(Info, 1 | 4);
        Put(Info + 4, 639); // KiB below 1 MiB
        Put(Info + 8, (uint)((_size >> 10) - 1024)); // KiB above it
        Put(Info + 16, CommandLine);

        // Lesson 4: 32-bit protected mode, segments of 4 GiB from 0, no paging (multiboot 0.6.96, 3.2).
        kvm_sregs sregs = _vcpu.GetSregs();
        kvm_segment flat = new() { limit = 0xffff_ffff, selector = 8, type = 11, present = 1, db = 1, s = 1, g = 1 };
        sregs.cs = flat;
        (flat.selector, flat.type) = (16, 3);
        sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
        sregs.cr0 = 0x11; // PE, ET
        _vcpu.SetSregs(sregs);
        _vcpu.SetRegs(new kvm_regs { rax = 0x2bad_b002, rbx = Info, rip = entry, rsp = Stack, rflags = 2 });
    }

    /// <summary>Runs the guest until it ends.</summary>
    /// <returns>0 after a power-off, (v&lt;&lt;1)|1 after a write of v to the debug exit, 6 after a crash.</returns>
    public int Run()
    {
        kvm_run* run = _vcpu.Run;
        while (true)
        {
            int error = _vcpu.Enter();
            if (error != 0 && error != 4) // EINTR: a signal of the runtime's
                throw new IOException($"KVM_RUN: errno {error}");
            if (error != 0)
                continue;
            switch (run->exit_reason)
            {
                case KvmExitReason.KVM_EXIT_IO: // lesson 2
                    Span<byte> data = new((byte*)run + run->io.data_offset, (int)(run->io.size * run->io.count));
                    if (run->io.direction == KvmConstants.KVM_EXIT_IO_IN)
                        data.Fill(run->io.port == LineStatus ? (byte)0x60 : (byte)0xff); // may transmit; nobody is there
                    else if (Write(run->io.port, data) is { } status)
                        return status;
                    break;
                case KvmExitReason.KVM_EXIT_MMIO: // lesson 11
                    if (run->mmio.is_write == 0)
                        new Span<byte>(run->mmio.data, 8).Fill(0xff);
                    break;
                default: // lesson 8
                    Console.Error.WriteLine($"tiny-vmm: {run->exit_reason} at 0x{_vcpu.GetRegs().rip:x}");
                    return 6;
            }
        }
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _vm.Dispose();
        _kvm.Dispose();
        NativeMemory.AlignedFree(_ram);
    }

    /// <returns>The exit status if that ends the machine.</returns>
    private int? Write(ushort port, ReadOnlySpan<byte> data)
    {
        switch (port)
        {
            case Data:
                _output.Write(data);
                return null;
            case DebugExit:
                return (byte)((data[0] << 1) | 1);
            case PowerOff:
                return 0;
            default:
                return null;
        }
    }

    /// <returns>The address of the first instruction.</returns>
    private uint LoadElf(ReadOnlySpan<byte> file)
    {
        // ELF, figure 1-3 and 2-1: where the program headers are, and of each its type, place, address and size.
        const int ProgramHeaders = 28, HeaderSize = 42, HeaderCount = 44, Entry = 24;
        const uint Loadable = 1;
        if (file.Length < 52 || !file.StartsWith("\u007fELF\u0001"u8))
            throw new InvalidDataException("not a 32-bit ELF file");
        int size = BinaryPrimitives.ReadUInt16LittleEndian(file[HeaderSize..]);
        for (int i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(file[HeaderCount..]); i++)
        {
            ReadOnlySpan<byte> header = file.Slice((int)Number(file, ProgramHeaders) + (i * size), 32);
            if (Number(header, 0) == Loadable)
                file.Slice((int)Number(header, 4), (int)Number(header, 16)).CopyTo(Ram[(int)Number(header, 12)..]);
        }

        return Number(file, Entry);
    }

    private static uint Number(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private void Put(int address, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Ram[address..], value);
}
