using System.Runtime.CompilerServices;
using MiniVmm.Kvm;
using static MiniVmm.Gdb.RegisterPart;

namespace MiniVmm.Gdb;

/// <summary>
/// The registers of a vCPU that gdb sees, and their numbers: those of an x86-64 or of an i386 (GDB manual, "Standard Target
/// Features: i386"), and what kernels are about besides: control registers, by QEMU's names, and tables.
/// </summary>
internal sealed class RegisterSet
{
    private static readonly string[] SegmentOrder = ["cs", "ss", "ds", "es", "fs", "gs"];
    private static readonly string[] GeneralOrder = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

    private RegisterSet(bool is64, IReadOnlyList<RegisterFeature> features)
    {
        Is64 = is64;
        List<GdbRegister> all = [];
        List<RegisterFeature> placed = [];
        int place = 0;
        foreach (RegisterFeature feature in features)
        {
            List<GdbRegister> registers = [];
            foreach (GdbRegister register in feature.Registers)
            {
                registers.Add(register with { Place = place });
                place += register.Bytes;
            }

            all.AddRange(registers);
            placed.Add(feature with { Registers = registers });
        }

        Features = placed;
        All = all;
        Size = place;
    }

    /// <summary>Whether they are an x86-64's.</summary>
    public bool Is64 { get; }

    public IReadOnlyList<RegisterFeature> Features { get; }

    /// <summary>By their numbers.</summary>
    public IReadOnlyList<GdbRegister> All { get; }

    /// <summary>Bytes of all of them.</summary>
    public int Size { get; }

    /// <summary>Number of the instruction pointer.</summary>
    public int InstructionPointer => Is64 ? 16 : 8;

    /// <param name="is64">Whether gdb is told of an x86-64, which an i386 kernel's symbols do not go with.</param>
    /// <param name="hasYmm">Whether the guest's processor has AVX.</param>
    public static RegisterSet Create(bool is64, bool hasYmm)
    {
        List<RegisterFeature> features =
        [
            new("org.gnu.gdb.i386.core", [.. is64 ? Core64() : Core32(), .. SegmentSelectors(), .. X87()]),
            new("org.gnu.gdb.i386.sse", [.. Xmm(is64 ? 16 : 8)]),
        ];
        if (hasYmm)
            features.Add(new("org.gnu.gdb.i386.avx", [.. Ymm(is64 ? 16 : 8)]));
        GdbRegister[] bases = [SegmentBase("fs"), SegmentBase("gs")];
        if (is64)
            features.Add(new("org.gnu.gdb.i386.segments", bases));
        features.Add(new("minivmm.i386.system", [.. is64 ? [] : bases, .. SystemRegisters()]));
        return new RegisterSet(is64, features);
    }

    private static IEnumerable<GdbRegister> Core64()
    {
        kvm_regs r = default;
        (string, int)[] general =
        [
            ("rax", At(ref r, ref r.rax)), ("rbx", At(ref r, ref r.rbx)), ("rcx", At(ref r, ref r.rcx)), ("rdx", At(ref r, ref r.rdx)),
            ("rsi", At(ref r, ref r.rsi)), ("rdi", At(ref r, ref r.rdi)), ("rbp", At(ref r, ref r.rbp)), ("rsp", At(ref r, ref r.rsp)),
            ("r8", At(ref r, ref r.r8)), ("r9", At(ref r, ref r.r9)), ("r10", At(ref r, ref r.r10)), ("r11", At(ref r, ref r.r11)),
            ("r12", At(ref r, ref r.r12)), ("r13", At(ref r, ref r.r13)), ("r14", At(ref r, ref r.r14)), ("r15", At(ref r, ref r.r15)),
        ];
        return
        [
            .. general.Select(each => new GdbRegister(
                each.Item1, 64, each.Item1 is "rbp" or "rsp" ? "data_ptr" : "int64", General, each.Item2, 8)),
            new("rip", 64, "code_ptr", General, At(ref r, ref r.rip), 8),
            new("eflags", 32, "i386_eflags", General, At(ref r, ref r.rflags), 8),
        ];
    }

    private static IEnumerable<GdbRegister> Core32()
    {
        kvm_regs r = default;
        Dictionary<string, int> places = new()
        {
            ["ax"] = At(ref r, ref r.rax),
            ["cx"] = At(ref r, ref r.rcx),
            ["dx"] = At(ref r, ref r.rdx),
            ["bx"] = At(ref r, ref r.rbx),
            ["sp"] = At(ref r, ref r.rsp),
            ["bp"] = At(ref r, ref r.rbp),
            ["si"] = At(ref r, ref r.rsi),
            ["di"] = At(ref r, ref r.rdi),
        };
        return
        [
            .. GeneralOrder.Select(name => new GdbRegister(
                $"e{name}", 32, name is "sp" or "bp" ? "data_ptr" : "int32", General, places[name], 8)),
            new("eip", 32, "code_ptr", General, At(ref r, ref r.rip), 8),
            new("eflags", 32, "i386_eflags", General, At(ref r, ref r.rflags), 8),
        ];
    }

    private static IEnumerable<GdbRegister> SegmentSelectors()
    {
        kvm_segment s = default;
        int selector = At(ref s, ref s.selector);
        return [.. SegmentOrder.Select(name => new GdbRegister(name, 32, "int32", Special, SegmentAt(name) + selector, 2))];
    }

    private static IEnumerable<GdbRegister> X87()
    {
        kvm_fpu f = default;
        int instruction = At(ref f, ref f.last_ip);
        int operand = At(ref f, ref f.last_dp);
        return
        [
            .. Enumerable.Range(0, 8).Select(i => new GdbRegister($"st{i}", 80, "i387_ext", Fpu, 16 * i, 10)),
            Word("fctrl", At(ref f, ref f.fcw), 2), Word("fstat", At(ref f, ref f.fsw), 2),
            Word("ftag", At(ref f, ref f.ftwx), 1), Word("fiseg", instruction + 4, 4), Word("fioff", instruction, 4),
            Word("foseg", operand + 4, 4), Word("fooff", operand, 4), Word("fop", At(ref f, ref f.last_opcode), 2),
        ];

        static GdbRegister Word(string name, int offset, int size) => new(name, 32, "int", Fpu, offset, size, "float");
    }

    private static unsafe IEnumerable<GdbRegister> Xmm(int count)
    {
        kvm_fpu f = default;
        int first = (int)((byte*)f.xmm - (byte*)&f);
        return
        [
            .. Enumerable.Range(0, count).Select(i => new GdbRegister($"xmm{i}", 128, "vec128", Fpu, first + (16 * i), 16)),
            new("mxcsr", 32, "i386_mxcsr", Fpu, (int)((byte*)&f.mxcsr - (byte*)&f), 4, "vector"),
        ];
    }

    private static IEnumerable<GdbRegister> Ymm(int count) =>
        Enumerable.Range(0, count).Select(i => new GdbRegister($"ymm{i}h", 128, "uint128", RegisterPart.Ymm, 16 * i, 16));

    private static GdbRegister SegmentBase(string name) => new($"{name}_base", 64, "int", Special, SegmentAt(name), 8);

    private static IEnumerable<GdbRegister> SystemRegisters()
    {
        kvm_sregs s = default;
        kvm_segment segment = default;
        kvm_dtable table = default;
        int limit = At(ref table, ref table.limit);
        return
        [
            new("k_gs_base", 64, "int64", KernelGsBase, 0, 8),
            new("cr0", 64, "x64_cr0", Special, At(ref s, ref s.cr0), 8),
            new("cr2", 64, "int64", Special, At(ref s, ref s.cr2), 8),
            new("cr3", 64, "int64", Special, At(ref s, ref s.cr3), 8),
            new("cr4", 64, "x64_cr4", Special, At(ref s, ref s.cr4), 8),
            new("cr8", 64, "int64", Special, At(ref s, ref s.cr8), 8),
            new("efer", 64, "x64_efer", Special, At(ref s, ref s.efer), 8),
            new("cs_base", 64, "int64", Special, SegmentAt("cs"), 8),
            new("gdtr_base", 64, "int64", Special, At(ref s, ref s.gdt), 8),
            new("gdtr_limit", 32, "int32", Special, At(ref s, ref s.gdt) + limit, 2),
            new("idtr_base", 64, "int64", Special, At(ref s, ref s.idt), 8),
            new("idtr_limit", 32, "int32", Special, At(ref s, ref s.idt) + limit, 2),
            new("tr", 32, "int32", Special, SegmentAt("tr") + At(ref segment, ref segment.selector), 2),
            new("ldtr", 32, "int32", Special, SegmentAt("ldt") + At(ref segment, ref segment.selector), 2),
        ];
    }

    private static int SegmentAt(string name)
    {
        kvm_sregs s = default;
        return name switch
        {
            "cs" => At(ref s, ref s.cs),
            "ss" => At(ref s, ref s.ss),
            "ds" => At(ref s, ref s.ds),
            "es" => At(ref s, ref s.es),
            "fs" => At(ref s, ref s.fs),
            "gs" => At(ref s, ref s.gs),
            "tr" => At(ref s, ref s.tr),
            _ => At(ref s, ref s.ldt),
        };
    }

    private static int At<TStructure, TField>(ref TStructure structure, ref TField field)
        where TStructure : unmanaged
        where TField : unmanaged =>
        (int)Unsafe.ByteOffset(ref Unsafe.As<TStructure, byte>(ref structure), ref Unsafe.As<TField, byte>(ref field));
}
