using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Teaching.Explain;

/// <summary>The same machine as a C program: every call that made it, what lies in its RAM, and devices of a few lines.</summary>
/// <param name="calls">Those that made it, in order.</param>
/// <param name="plan">What it is.</param>
/// <param name="ram">The guest's, before it runs.</param>
/// <param name="timeout">Its longest run; null for ever.</param>
internal sealed class CProgram(IReadOnlyList<ObservedCall> calls, MachinePlan plan, GuestMemory ram, TimeSpan? timeout)
{
    private const ulong PageSize = 4096;
    private const int LettersInALine = 110;
    private const int InterruptLines = 24; // that the program can raise: the I/O APIC's
    private const int LongestGap = 64; // of zeros within a piece: less than what a piece of its own would take
    private readonly StringBuilder _text = new();
    private readonly HashSet<uint> _explained = [];
    private readonly List<(ulong Address, List<byte> Bytes)> _pieces = [];

    public string Write()
    {
        int vcpus = calls.Count(call => call.Request == KvmIoctl.KVM_CREATE_VCPU);
        FindPieces();
        string kernel = Comment(plan.Options.Kernel);
        Line($"/*\n * The machine that minivmm makes of {kernel}, by hand.\n *     gcc -O2 -Wall -pthread -o machine machine.c && ./machine\n */");
        Line($"#define VCPUS {vcpus}");
        Line($"#define TIMEOUT {timeout?.TotalMilliseconds ?? 0:0}ull\t/* milliseconds that the guest may run; 0: as long as it likes */");
        Line($"#define ECAM 0x{plan.PciRoot?.ConfigurationSpace?.Start ?? 0:x}ull\t/* 1 MiB of memory with PCI's configuration space; 0: there is none */");
        Line($"#define COM2 {(plan.Options.Com2 is null ? 0 : 1)}\t/* whether there is a second serial port */");
        Line(CDevices.Head);
        WritePieces();
        Line("/* ==== Every call to KVM, in the order in which minivmm makes them. ==== */\n");
        Line("static void build(void)\n{");
        string step = "";
        foreach (ObservedCall call in calls)
        {
            if (call.Api is not { } api || api.Way == ArgumentWay.Out || call.Result < 0 || IsMereQuestion(call))
                continue;
            if (api.Step != step)
            {
                step = api.Step;
                Line($"\n\t/* ---- {step} ---- */\n");
            }

            WriteCall(call, api);
            if (call.Request == KvmIoctl.KVM_SET_USER_MEMORY_REGION && IsLastSlot(call))
                Line("\tfor (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)\n\t\tload(pieces[i].address, pieces[i].bytes, pieces[i].size);\n");
        }

        Line("}\n");
        Line(CDevices.Loop);
        return _text.ToString();
    }

    private bool IsLastSlot(ObservedCall call) =>
        ReferenceEquals(call, calls.Last(other => other.Request == KvmIoctl.KVM_SET_USER_MEMORY_REGION));

    /// <summary>Whether nothing depends on the answer in this program.</summary>
    private static bool IsMereQuestion(ObservedCall call) =>
        (call.Request == KvmIoctl.KVM_CHECK_EXTENSION && (call.Target != CallTarget.Kvm || call.Result == 0))
        || call.Request == KvmIoctl.KVM_GET_TSC_KHZ;

    private void WriteCall(ObservedCall call, KvmApi api)
    {
        if (_explained.Add(call.Request))
        {
            using StringWriter comment = new() { NewLine = "\n" };
            TextColumns.Wrap(comment, "\t/* ", 4, $"{api.Why} [{api.Place.Replace(' ', TextColumns.Joint)}] */", continued: 4);
            _text.Append(comment.ToString().Replace("\n    ", "\n\t * ", StringComparison.Ordinal));
        }

        string request = api.Name;
        string file = call.Target == CallTarget.Vcpu ? $"vcpu[{call.Vcpu}]" : call.File;
        switch (request)
        {
            case "KVM_GET_API_VERSION":
                Line("\tkvm = must(open(\"/dev/kvm\", O_RDWR | O_CLOEXEC), \"/dev/kvm\");");
                Line("\tif (ioctl(kvm, KVM_GET_API_VERSION, 0) != 12)\n\t\terrx(4, \"/dev/kvm is no KVM\");\n");
                break;
            case "KVM_GET_VCPU_MMAP_SIZE":
                Line("\trun_size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), \"KVM_GET_VCPU_MMAP_SIZE\");\n");
                break;
            case "KVM_CHECK_EXTENSION":
                Line($"\tneed({(KvmCapability)call.Argument}, \"{(KvmCapability)call.Argument}\");");
                break;
            case "KVM_CREATE_VM":
                Line("\tvm = must(ioctl(kvm, KVM_CREATE_VM, 0), \"KVM_CREATE_VM\");\n");
                break;
            case "KVM_CREATE_VCPU":
                Line($"\tnew_vcpu({call.Vcpu}, {call.Argument});\n");
                break;
            case "KVM_SET_IDENTITY_MAP_ADDR":
                Line($"\tmust(ioctl(vm, {request}, &(uint64_t){{ 0x{call.Read<ulong>(0):x} }}), \"{request}\");\n");
                break;
            default:
                if (call.Block.Length == 0)
                    Line($"\tmust(ioctl({file}, {request}, {KvmField.Plain(call.Argument)}ul), \"{request}\");\n");
                else if (api.Structure.List is { } list)
                    WriteList(call, api, file, list);
                else
                    WriteBlock(call, api, file);
                break;
        }
    }

    private void WriteBlock(ObservedCall call, KvmApi api, string file)
    {
        Line($"\tmust(ioctl({file}, {api.Name}, &(struct {api.Structure.Name}) {{");
        if (api.Structure.Name == "kvm_irqchip" && call.Read<uint>(0) <= KvmConstants.KVM_IRQCHIP_PIC_SLAVE)
        {
            KvmField id = api.Structure.Fields[0];
            Line($"\t\t.chip_id = {id.Text(id.Read(call.Block))},");
            ReadOnlySpan<byte> pic = call.Block.AsSpan(api.Structure.Fields[2].Offset, KvmStructures.PicState.Size);
            Line($"\t\t.chip.pic = {{ {Initializers(KvmStructures.PicState, pic)} }},");
        }
        else
        {
            WriteFields(api.Structure, call.Block, "\t\t");
        }

        Line($"\t}}), \"{api.Name}\");\n");
    }

    private void WriteFields(KvmStructure structure, ReadOnlySpan<byte> block, string indent)
    {
        foreach (KvmField field in structure.Fields)
        {
            ReadOnlySpan<byte> all = block.Slice(field.Offset, field.Size * field.Count);
            if (all.ContainsAnyExcept((byte)0) || (structure.Name, field.Name) is ("kvm_irqfd", "fd"))
                Line($"{indent}.{field.Name} = {Initializer(structure, field, block)},");
        }
    }

    private static string Initializers(KvmStructure structure, ReadOnlySpan<byte> block)
    {
        List<string> fields = [];
        foreach (KvmField field in structure.Fields)
        {
            if (block.Slice(field.Offset, field.Size * field.Count).ContainsAnyExcept((byte)0))
                fields.Add($".{field.Name} = {Initializer(structure, field, block)}");
        }

        return string.Join(", ", fields);
    }

    private static string Initializer(KvmStructure structure, KvmField field, ReadOnlySpan<byte> block)
    {
        switch (structure.Name, field.Name)
        {
            case ("kvm_userspace_memory_region", "userspace_addr"):
                kvm_userspace_memory_region region = MemoryMarshal.Read<kvm_userspace_memory_region>(block);
                return $"new_memory(0x{region.guest_phys_addr:x}, 0x{region.memory_size:x})";
            case ("kvm_irqfd", "fd") when MemoryMarshal.Read<kvm_irqfd>(block).gsi is var gsi && gsi < InterruptLines:
                return $"new_line({gsi})";
            case ("kvm_irqfd", "fd" or "resamplefd"):
                return "eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)";
            case ("kvm_irq_routing_entry", "u"):
                kvm_irq_routing_entry route = MemoryMarshal.Read<kvm_irq_routing_entry>(block);
                return route.type == KvmConstants.KVM_IRQ_ROUTING_MSI
                    ? $"{{ .msi = {{ 0x{route.u.msi.address_lo:x}, 0x{route.u.msi.address_hi:x}, 0x{route.u.msi.data:x} }} }}"
                    : $"{{ .irqchip = {{ {KvmStructures.Find("kvm_irqchip").Fields[0].Text(route.u.irqchip.irqchip)}, {route.u.irqchip.pin} }} }}";
        }

        if (field.Count == 1)
        {
            return field.Structure is { } part
                ? $"{{ {Initializers(part, block.Slice(field.Offset, field.Size))} }}"
                : Number(field, field.Read(block));
        }

        List<string> elements = [];
        for (int i = 0; i < field.Count; i++)
        {
            ReadOnlySpan<byte> element = block.Slice(field.Offset + (i * field.Size), field.Size);
            if (element.ContainsAnyExcept((byte)0))
                elements.Add($"[{i}] = {(field.Structure is { } inner ? $"{{ {Initializers(inner, element)} }}" : Number(field, field.Read(block, i)))}");
        }

        return $"{{ {string.Join(", ", elements)} }}";
    }

    private static string Number(KvmField field, ulong value)
    {
        // Names of MSRs are no constants of the header's.
        string text = field.Format == FieldFormat.Name && field.Name == "index" ? $"0x{value:x}" : field.Text(value).Replace("|", " | ", StringComparison.Ordinal);
        return field.Size == 8 && value > uint.MaxValue ? $"{text}ull" : text;
    }

    private void WriteList(ObservedCall call, KvmApi api, string file, KvmStructure list)
    {
        int count = (call.Block.Length - api.Structure.Size) / list.Size;
        string length = api.Structure.Fields[0].Name;
        Line("\t{");
        Line($"\t\tstatic const struct {{ struct {api.Structure.Name} head; struct {list.Name} entries[{count}]; }} all = {{");
        Line($"\t\t\t.head = {{ .{length} = {count} }},");
        Line("\t\t\t.entries = {");
        for (int i = 0; i < count; i++)
            Line($"\t\t\t\t{{ {Initializers(list, call.Block.AsSpan(api.Structure.Size + (i * list.Size), list.Size))} }},");
        Line("\t\t\t},\n\t\t};\n");
        Line($"\t\tmust(ioctl({file}, {api.Name}, &all), \"{api.Name}\");\n\t}}\n");
    }

    private void FindPieces()
    {
        foreach (ObservedCall call in calls)
        {
            if (call.Request != KvmIoctl.KVM_SET_USER_MEMORY_REGION)
                continue;
            kvm_userspace_memory_region region = call.Read<kvm_userspace_memory_region>(0);
            for (ulong at = region.guest_phys_addr; at < region.guest_phys_addr + region.memory_size; at += PageSize)
            {
                if (ram.TryGetSpan(at, (int)PageSize, out Span<byte> page))
                    AddPieces(at, page);
            }
        }
    }

    /// <summary>What is not zero of a page, in pieces; one that begins where the last one ended continues it.</summary>
    private void AddPieces(ulong address, ReadOnlySpan<byte> page)
    {
        int at = 0;
        while (at < page.Length)
        {
            int start = page[at..].IndexOfAnyExcept((byte)0);
            if (start < 0)
                return;
            start += at;
            int end = start + 1;
            for (int i = end; i < page.Length && i - end < LongestGap; i++)
            {
                if (page[i] != 0)
                    end = i + 1;
            }

            if (_pieces is not [.., var (before, bytes)] || address + (ulong)start - (before + (ulong)bytes.Count) >= LongestGap)
            {
                (before, bytes) = (address + (ulong)start, []);
                _pieces.Add((before, bytes));
            }

            bytes.AddRange(new byte[address + (ulong)start - (before + (ulong)bytes.Count)]);
            bytes.AddRange(page[start..end]);
            at = end;
        }
    }

    private void WritePieces()
    {
        Line("/* ==== What lies in the guest's RAM at the start; zeros are left out. ==== */\n");
        foreach ((ulong address, List<byte> bytes) in _pieces)
        {
            Line($"/* {NameOf(address)} */");
            Line($"static const unsigned char at_{address:x}[] =");
            WriteText(CollectionsMarshal.AsSpan(bytes));
            Line(";\n");
        }

        Line("static const struct { uint64_t address; size_t size; const unsigned char *bytes; } pieces[] = {");
        foreach ((ulong address, _) in _pieces)
            Line($"\t{{ 0x{address:x}, sizeof(at_{address:x}) - 1, at_{address:x} }},");
        Line("};\n");
    }

    /// <summary>
    /// Bytes as C has them in quotation marks, which compilers take a hundred times as fast as a list of numbers; what is text in
    /// them can be read.
    /// </summary>
    private void WriteText(ReadOnlySpan<byte> bytes)
    {
        int start = _text.Length;
        _text.Append("\t\"");
        for (int i = 0; i < bytes.Length; i++)
        {
            if (_text.Length - start > LettersInALine)
            {
                start = _text.Length;
                _text.Append("\"\n\t\"");
            }

            byte value = bytes[i];
            if (value is >= (byte)' ' and <= (byte)'~' and not ((byte)'"' or (byte)'\\' or (byte)'?')) // ??= would be a trigraph
            {
                _text.Append((char)value);
                continue;
            }

            bool isWhole = i + 1 < bytes.Length && bytes[i + 1] is >= (byte)'0' and <= (byte)'7'; // or that would be its next digit
            _text.Append('\\');
            if (isWhole || value >= 1 << 6)
                _text.Append((char)('0' + (value >> 6)));
            if (isWhole || value >= 1 << 3)
                _text.Append((char)('0' + (value >> 3 & 7)));
            _text.Append((char)('0' + (value & 7)));
        }

        _text.Append('"');
    }

    /// <summary>What the plan says of an address: the innermost part.</summary>
    private string NameOf(ulong address)
    {
        string name = "RAM";
        ulong least = ulong.MaxValue;
        foreach ((GuestRange range, string what) in plan.Map)
        {
            if (address >= range.Start && address < range.End && range.Length <= least)
                (name, least) = (what.Trim(), range.Length);
        }

        return Comment(name);
    }

    private static string Comment(string text) => text.Replace("*/", "* /", StringComparison.Ordinal);

    private void Line(string text) => _text.Append(text).Append('\n');
}
