using MiniVmm.Gdb;

namespace MiniVmm.Tests.Gdb;

/// <summary>A guest of 64 KiB at address 0 with two vCPUs, that notes what it is told.</summary>
internal sealed class FakeTarget : IGdbTarget
{
    private readonly byte[][] _registers;

    public FakeTarget()
    {
        Registers = RegisterSet.Create(is64: true, hasYmm: true);
        _registers = [new byte[Registers.Size], new byte[Registers.Size]];
    }

    public RegisterSet Registers { get; }

    public IReadOnlyList<int> Vcpus { get; set; } = [0, 1];

    public bool StepsHoldInterrupts { get; set; } = true;

    public byte[] Memory { get; } = new byte[0x10000];

    public List<string> Told { get; } = [];

    public BreakpointTable Breakpoints { get; } = new();

    public bool Runs { get; private set; }

    /// <summary>What it has stopped for by itself, and nobody has taken.</summary>
    public GdbStop? Stopped { get; set; }

    public string Describe(int vcpu) => $"CPU#{vcpu}";

    public void ReadRegisters(int vcpu, Span<byte> values)
    {
        Assert.False(Runs);
        _registers[vcpu].CopyTo(values);
    }

    public bool TryWriteRegisters(int vcpu, IEnumerable<GdbRegister> registers, ReadOnlyMemory<byte> values)
    {
        Assert.False(Runs);
        foreach (GdbRegister register in registers)
        {
            int place = Registers.All.Single(each => each.Name == register.Name).Place;
            values.Span.Slice(register.Place, register.Bytes).CopyTo(_registers[vcpu].AsSpan(place));
        }

        return true;
    }

    public int ReadMemory(int vcpu, ulong address, Span<byte> bytes, bool isPhysical)
    {
        Assert.False(Runs);
        Told.Add(isPhysical ? "physical" : "linear");
        if (address >= (ulong)Memory.Length)
            return 0;
        int count = Math.Min(bytes.Length, Memory.Length - (int)address);
        Memory.AsSpan((int)address, count).CopyTo(bytes);
        return count;
    }

    public bool TryWriteMemory(int vcpu, ulong address, ReadOnlySpan<byte> bytes, bool isPhysical)
    {
        Assert.False(Runs);
        if (address > (ulong)(Memory.Length - bytes.Length))
            return false;
        bytes.CopyTo(Memory.AsSpan((int)address));
        return true;
    }

    public BreakpointAnswer Set(Breakpoint breakpoint) => Breakpoints.Set(breakpoint);

    public void Clear(Breakpoint breakpoint) => Breakpoints.Clear(breakpoint);

    public void Stop()
    {
        Told.Add("stop");
        Runs = false;
    }

    public void Run(Func<int, VcpuOrder> order)
    {
        Assert.False(Runs);
        Told.Add($"run {string.Join(' ', Vcpus.Select(vcpu => Words(order(vcpu))))}");
        Runs = true;
    }

    private static string Words(VcpuOrder order) => order.End == 0 ? $"{order.Kind}" : $"{order.Kind}:{order.Start:x}-{order.End:x}";

    public bool TryTakeStop(out GdbStop stop)
    {
        stop = Stopped ?? default;
        bool has = Stopped is not null;
        Runs &= !has;
        Stopped = null;
        return has;
    }

    public void Detach()
    {
        Told.Add("detach");
        Runs = true;
    }

    public void Kill() => Told.Add("kill");

    public string Monitor(string command, int vcpu) => $"{vcpu}: {command}\n";
}
