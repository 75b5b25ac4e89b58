using System.Globalization;
using System.Text;
using MiniVmm.Kvm;

namespace MiniVmm.Tracing;

/// <summary>Events in words, as lines and files have them.</summary>
internal static class TraceText
{
    /// <summary>What KVM reported: "io 3f8 &lt;- 48", "mmio fee00300 -> 000000f0", "shutdown".</summary>
    public static void AppendReport(StringBuilder text, in TraceEvent item)
    {
        ArgumentNullException.ThrowIfNull(text);
        switch (item.Kind)
        {
            case <= TraceEventKind.MemoryWrite:
                bool isPort = item.Kind <= TraceEventKind.PortWrite;
                bool isWrite = item.Kind is TraceEventKind.PortWrite or TraceEventKind.MemoryWrite;
                text.Append(isPort ? "io " : "mmio ").Append(item.Address.ToString("x", CultureInfo.InvariantCulture))
                    .Append(isWrite ? " <- " : " -> ")
                    .Append(item.Value.ToString($"x{Math.Clamp((int)item.Size, 1, 8) * 2}", CultureInfo.InvariantCulture));
                if (item.Count > 1)
                    text.Append(CultureInfo.InvariantCulture, $" first of {item.Count}");
                break;
            case TraceEventKind.Exit:
                text.Append(Name(item.Reason));
                AppendDetail(text, item);
                break;
            case TraceEventKind.Kick:
                text.Append("kick");
                break;
        }
    }

    /// <summary>An interrupt that a device raises.</summary>
    public static string Interrupt(in TraceEvent item) => item.Detail switch
    {
        0 => $"interrupt line {item.Count} low",
        1 => $"interrupt line {item.Count} high",
        2 => $"interrupt line {item.Count}",
        _ => $"message {item.Address:x} <- {item.Value:x}: vector {item.Value & 0xff}",
    };

    /// <summary>A request of a virtio device.</summary>
    public static string Request(in TraceEvent item, TracedDevice? device)
    {
        if (device?.DescribeRequest(item) is { } own)
            return own;
        return item.Value == 0 ? $"request of queue {item.Detail}" : $"{item.Value} bytes of queue {item.Detail}";
    }

    /// <summary>"hlt" for KVM_EXIT_HLT.</summary>
    private static string Name(uint reason)
    {
        string name = TraceNames.Reason(reason);
        return name.StartsWith("KVM_EXIT_", StringComparison.Ordinal) ? name[9..].ToLowerInvariant() : name;
    }

    private static void AppendDetail(StringBuilder text, in TraceEvent item)
    {
        switch ((KvmExitReason)item.Reason)
        {
            case KvmExitReason.KVM_EXIT_X86_RDMSR:
                text.Append(CultureInfo.InvariantCulture, $" {item.Address:x}: #GP");
                break;
            case KvmExitReason.KVM_EXIT_X86_WRMSR:
                text.Append(CultureInfo.InvariantCulture, $" {item.Address:x} <- {item.Value:x}: #GP");
                break;
            case KvmExitReason.KVM_EXIT_SYSTEM_EVENT or KvmExitReason.KVM_EXIT_INTERNAL_ERROR or KvmExitReason.KVM_EXIT_FAIL_ENTRY:
                text.Append(CultureInfo.InvariantCulture, $" {item.Value}");
                break;
        }
    }
}
