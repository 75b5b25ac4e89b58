using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Teaching.Explain;

/// <summary>What lies where in the guest's physical addresses, from the highest down, as manuals draw it.</summary>
internal static class MemoryDrawing
{
    private const int BoxWidth = 74;

    public static void Write(TextWriter output, MachinePlan plan, IReadOnlyList<ObservedCall> calls)
    {
        (GuestRange Range, string What)[] all = [.. plan.Map.OrderByDescending(part => part.Range.Start)];
        string rule = $"  {"",18} +{new string('-', BoxWidth)}+";
        output.WriteLine(rule);
        ulong? below = null;
        foreach ((GuestRange range, string what) in all)
        {
            if (IsWithinAnother(what))
                continue;
            if (below is { } end && range.End < end)
            {
                WriteBox(output, range.End, end - range.End, IsMemory(calls, range.End)
                    ? "RAM that the guest is not told of (text screen: 0xb8000)"
                    : "in no memory slot: an access ends in an exit");
                output.WriteLine(rule);
            }

            foreach ((GuestRange inner, string name) in all)
            {
                if (IsWithinAnother(name) && inner.Start >= range.Start && inner.Start < range.End)
                    WriteBox(output, inner.Start, inner.Length, name);
            }

            WriteBox(output, range.Start, range.Length, what);
            output.WriteLine(rule);
            below = range.Start;
        }
    }

    private static bool IsMemory(IReadOnlyList<ObservedCall> calls, ulong address)
    {
        foreach (ObservedCall call in calls)
        {
            if (call.Request == KvmIoctl.KVM_SET_USER_MEMORY_REGION
                && call.Read<kvm_userspace_memory_region>(0) is var region
                && address - region.guest_phys_addr < region.memory_size)
                return true;
        }

        return false;
    }

    // As the plan marks what lies in RAM.
    private static bool IsWithinAnother(string what) => what.StartsWith(' ');

    private static void WriteBox(TextWriter output, ulong start, ulong length, string what)
    {
        string size = ByteSize.Format(length);
        int room = BoxWidth - size.Length - 3;
        if (what.Length > room)
            what = $"{what[..(room - 1)]}…";
        output.WriteLine($"  {$"0x{start:x}",18} | {what.PadRight(room)} {size}|");
    }
}
