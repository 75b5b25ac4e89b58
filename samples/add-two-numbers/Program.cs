using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

byte[] code = [0x00, 0xd8, 0xe6, 0x80, 0xf4]; // add al, bl; out 0x80, al; hlt

using KvmSystem kvm = KvmSystem.Open();
using MachineCore machine = new(kvm);
machine.MapRam(2 * MemoryLayout.MiB);
machine.Memory.Ram.Load(new LoadSegment("code", 0x1000, code));
machine.Ports.Add(new Printer(), "printer", 0x80, 1);

KvmVcpu vcpu = machine.AddVcpu(apicId: 0).Vcpu;
kvm_sregs sregs = vcpu.GetSregs(); // real mode, as after a reset
sregs.cs = sregs.cs with { @base = 0, selector = 0 };
vcpu.SetSregs(sregs);
vcpu.SetRegs(new kvm_regs { rip = 0x1000, rax = 2, rbx = 3, rflags = 2 });
Console.WriteLine($"the machine has {(await machine.RunAsync()).Kind.ToString().ToLowerInvariant()}");

internal sealed class Printer : IBusDevice
{
    public void Read(ulong offset, Span<byte> data) => data.Clear();

    public void Write(ulong offset, ReadOnlySpan<byte> data) => Console.WriteLine($"2 + 3 = {data[0]}");
}
