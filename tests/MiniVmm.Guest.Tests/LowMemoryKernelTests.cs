using Iced.Intel;
using MiniVmm.Tests.Boot;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// Kernels with segments in the first megabyte, made here. They exit through port 0xf4 with the number of the first check
/// that failed, 0 for none.
/// </summary>
public sealed class LowMemoryKernelTests : IClassFixture<UsableKvm>
{
    private const ulong Text = 0x100000;
    private const int AllIsWell = (0 << 1) | 1;
    private const uint ElfMagic = 0x464c457f;

    [Fact]
    public async Task Elf_headers_right_below_1_MiB_are_there_and_so_is_all_that_a_PCs_kernel_looks_for()
    {
        byte[] headers = [0x7f, (byte)'E', (byte)'L', (byte)'F'];
        ElfBuilder elf = Kernel(Checks(c =>
        {
            c.RequireDword(0xff000, ElfMagic);
            c.RequireWord(0x400, 0x3f8);
            c.RequireWord(0x40e, 0x9fc0);
            c.RequireWord(0x413, 639);
            c.RequireByte(0x449, 3);
            c.RequireWord(0x44a, 80);
            c.RequireWord(0x463, 0x3d4);
            c.RequireVectorToIret(0x08);
            c.RequireVectorToIret(0xff);
        }));

        await RunAsync(elf.With(0xff000, headers, memorySize: 0x1000));
    }

    [Fact]
    public async Task A_kernel_over_all_of_base_memory_has_a_stack_and_a_GDT_elsewhere() =>
        await RunAsync(Kernel(Checks(c =>
        {
            c.RequireDword(0, ElfMagic);
            c.RequireWord(0x400, 0);
            c.RequireWord(0x500, 0);
        })).With(0, [0x7f, (byte)'E', (byte)'L', (byte)'F'], memorySize: 0xa0000));

    private static async Task RunAsync(ElfBuilder elf)
    {
        using TemporaryFolder folder = new();
        MinivmmResult run = await MinivmmProcess.RunAsync("run", folder.Write("kernel.elf", elf.Build()));

        run.With(AllIsWell);
        Assert.Equal("", run.Errors);
    }

    private static ElfBuilder Kernel(byte[] code)
    {
        byte[] header = MultibootFiles.Header(MultibootFiles.PageAlignAndMemory);
        ElfBuilder elf = new(is64: false) { Entry = Text + (ulong)header.Length };
        return elf.With(Text, [.. header, .. code]);
    }

    private static byte[] Checks(Action<CheckWriter> more)
    {
        CheckWriter writer = new();
        writer.RequireSelectors();
        more(writer);
        return writer.Finish(Text + 12);
    }

    /// <summary>Code that goes on as long as what it looks at is as it should be.</summary>
    private sealed class CheckWriter
    {
        private readonly Assembler _c = new(32);
        private Label _end;
        private uint _check;

        public CheckWriter() => _end = _c.CreateLabel();

        /// <summary>QEMU's selectors, and that GDT and stack bear out a reload of them.</summary>
        public void RequireSelectors()
        {
            Begin();
            _c.mov(ax, cs);
            _c.cmp(ax, 8);
            _c.jne(_end);
            foreach (AssemblerRegisterSegment segment in (AssemblerRegisterSegment[])[ds, es, fs, gs, ss])
            {
                Begin();
                _c.mov(ax, segment);
                _c.cmp(ax, 0x10);
                _c.jne(_end);
                _c.mov(segment, ax);
            }

            Label farReturn = _c.CreateLabel(), back = _c.CreateLabel();
            _c.push(8);
            _c.call(farReturn);
            _c.jmp(back);
            _c.Label(ref farReturn);
            _c.retf();
            _c.Label(ref back);
            _c.nop();
        }

        public void RequireByte(uint address, byte value)
        {
            Begin();
            _c.cmp(__byte_ptr[address], (int)(sbyte)value);
            _c.jne(_end);
        }

        public void RequireWord(uint address, ushort value)
        {
            Begin();
            _c.cmp(__word_ptr[address], (int)(short)value);
            _c.jne(_end);
        }

        public void RequireDword(uint address, uint value)
        {
            Begin();
            _c.cmp(__dword_ptr[address], (int)value);
            _c.jne(_end);
        }

        /// <summary>The vector's far pointer leads to an IRET.</summary>
        public void RequireVectorToIret(uint vector)
        {
            Begin();
            _c.movzx(eax, __word_ptr[vector * 4 + 2]);
            _c.shl(eax, 4);
            _c.movzx(ecx, __word_ptr[vector * 4]);
            _c.cmp(__byte_ptr[eax + ecx], unchecked((sbyte)0xcf));
            _c.jne(_end);
        }

        public byte[] Finish(ulong address)
        {
            _c.xor(edx, edx);
            _c.Label(ref _end);
            _c.mov(eax, edx);
            _c.@out(0xf4, al);
            _c.hlt();
            using MemoryStream code = new();
            _c.Assemble(new StreamCodeWriter(code), address);
            return code.ToArray();
        }

        private void Begin() => _c.mov(edx, ++_check);
    }
}
