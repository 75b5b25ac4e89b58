using System.Globalization;
using System.Text;
using MiniVmm.Cpu;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Explain;

/// <summary>A call as a line of C would have it, with what differs from zero.</summary>
internal static class CallText
{
    private static readonly (int Bit, string Name)[] Cr0 = [(0, "PE"), (1, "MP"), (2, "EM"), (3, "TS"), (4, "ET"), (5, "NE"), (16, "WP"), (18, "AM"), (29, "NW"), (30, "CD"), (31, "PG")];
    private static readonly (int Bit, string Name)[] Cr4 = [(4, "PSE"), (5, "PAE"), (6, "MCE"), (7, "PGE"), (9, "OSFXSR"), (10, "OSXMMEXCPT"), (12, "LA57"), (18, "OSXSAVE"), (20, "SMEP"), (21, "SMAP")];
    private static readonly (int Bit, string Name)[] Efer = [(0, "SCE"), (8, "LME"), (10, "LMA"), (11, "NXE")];

    /// <summary>The call with its argument and what it returned.</summary>
    public static string Of(ObservedCall call)
    {
        string name = call.Api?.Name ?? $"0x{call.Request:x}";
        string result = call.Result < 0 ? $"-1 {Errno.Name(-call.Result)}" : call.Result.ToString(CultureInfo.InvariantCulture);
        string made = (call.Api?.Name, call.Result) switch
        {
            ("KVM_CREATE_VM", >= 0) => " (vm)",
            ("KVM_CREATE_VCPU", >= 0) => $" (vcpu{call.Vcpu})",
            _ => "",
        };
        return $"ioctl({call.File}, {name}, {Argument(call)}) = {result}{made}";
    }

    /// <summary>Register bits by the manuals' names: <c>0x11 (PE ET)</c>.</summary>
    public static string Bits(string register, ulong value)
    {
        (int Bit, string Name)[] names = register switch { "cr0" => Cr0, "cr4" => Cr4, "efer" => Efer, _ => [] };
        string set = string.Join(' ', names.Where(name => (value >> name.Bit & 1) != 0).Select(name => name.Name));
        return set.Length > 0 ? $"{KvmField.Plain(value)} ({set})" : KvmField.Plain(value);
    }

    /// <summary>The argument: a number, a name, or a block.</summary>
    public static string Argument(ObservedCall call)
    {
        if (call.Request == KvmIoctl.KVM_CHECK_EXTENSION)
            return $"{(KvmCapability)call.Argument}";
        if (call.Block.Length == 0)
            return KvmField.Plain(call.Argument);
        KvmStructure? structure = call.Api?.Structure;
        if (structure is null || structure.Size == 0)
            return call.Block.Length == sizeof(ulong) ? $"&0x{call.Read<ulong>(0):x}" : $"{call.Block.Length} bytes";
        return structure.Name switch
        {
            "kvm_cpuid2" => Leaves(call),
            "kvm_irq_routing" => Routes(call),
            "kvm_msrs" => Msrs(call),
            "kvm_msr_list" => $"{{nmsrs={call.Read<uint>(0)}, …}}",
            "kvm_irqchip" => Chip(call),
            _ => Block(structure, call.Block),
        };
    }

    /// <summary>The fields of a block that are not zero.</summary>
    public static string Block(KvmStructure structure, ReadOnlySpan<byte> block)
    {
        List<string> fields = [];
        foreach (KvmField field in structure.Fields)
        {
            for (int i = 0; i < field.Count; i++)
            {
                string name = field.Count > 1 ? $"{field.Name}[{i}]" : field.Name;
                if (field.Structure is { } part)
                {
                    ReadOnlySpan<byte> inner = block.Slice(field.Offset + (i * field.Size), field.Size);
                    if (inner.ContainsAnyExcept((byte)0))
                        fields.Add($"{name}={Block(part, inner)}");
                }
                else if (field.Read(block, i) is > 0 and ulong value)
                {
                    fields.Add($"{name}={Value(field, value)}");
                }
            }
        }

        return $"{{{string.Join(", ", fields)}}}";
    }

    private static string Value(KvmField field, ulong value) => field.Format == FieldFormat.Bytes
        ? $"0x{value:x} ({ByteSize.Format(value)})"
        : field.Name is "cr0" or "cr4" or "efer" ? Bits(field.Name, value)
        : field.Text(value);

    private static string Leaves(ObservedCall call)
    {
        List<string> functions = [];
        int size = KvmStructures.Find("kvm_cpuid_entry2").Size;
        for (int at = KvmStructures.Find("kvm_cpuid2").Size; at + size <= call.Block.Length; at += size)
        {
            kvm_cpuid_entry2 entry = call.Read<kvm_cpuid_entry2>(at);
            uint function = entry.function;
            if ((entry.eax | entry.ebx | entry.ecx | entry.edx) == 0)
                continue;
            functions.Add(CpuidTable.HasIndex(function) ? $"0x{function:x}.{entry.index}" : $"0x{function:x}");
        }

        return $"{{nent={call.Read<uint>(0)}, not zero: {string.Join(' ', functions)}}}";
    }

    private static string Routes(ObservedCall call)
    {
        Dictionary<uint, List<string>> targets = [];
        KvmStructure entry = KvmStructures.Find("kvm_irq_routing_entry");
        for (int at = KvmStructures.Find("kvm_irq_routing").Size; at + entry.Size <= call.Block.Length; at += entry.Size)
        {
            kvm_irq_routing_entry route = call.Read<kvm_irq_routing_entry>(at);
            string target = route.type == KvmConstants.KVM_IRQ_ROUTING_MSI
                ? $"MSI 0x{route.u.msi.address_lo:x}/0x{route.u.msi.data:x}"
                : $"{ChipName(route.u.irqchip.irqchip)} {route.u.irqchip.pin}";
            if (targets.TryGetValue(route.gsi, out List<string>? known))
                known.Add(target);
            else
                targets[route.gsi] = [target];
        }

        return $"{{nr={call.Read<uint>(0)}, gsi {string.Join("; ", targets.Select(pair => $"{pair.Key}→{string.Join('+', pair.Value)}"))}}}";
    }

    private static string ChipName(uint chip) => chip switch
    {
        KvmConstants.KVM_IRQCHIP_PIC_MASTER => "master",
        KvmConstants.KVM_IRQCHIP_PIC_SLAVE => "slave",
        _ => "ioapic",
    };

    private static string Msrs(ObservedCall call)
    {
        KvmStructure entry = KvmStructures.Find("kvm_msr_entry");
        StringBuilder text = new($"{{nmsrs={call.Read<uint>(0)}");
        for (int at = KvmStructures.Find("kvm_msrs").Size; at + entry.Size <= call.Block.Length; at += entry.Size)
            text.Append(", ").Append(Block(entry, call.Block.AsSpan(at, entry.Size)));
        return text.Append('}').ToString();
    }

    private static string Chip(ObservedCall call)
    {
        KvmStructure structure = KvmStructures.Find("kvm_irqchip");
        KvmField chip = structure.Fields[0];
        uint id = call.Read<uint>(0);
        string state = id <= KvmConstants.KVM_IRQCHIP_PIC_SLAVE
            ? $"pic={Block(KvmStructures.PicState, call.Block.AsSpan(structure.Fields[2].Offset, KvmStructures.PicState.Size))}"
            : "ioapic=…";
        return $"{{chip_id={chip.Text(id)}, {state}}}";
    }
}
