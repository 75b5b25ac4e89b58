using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;

byte[] code = [0x00, 0xd8, 0xe6, 0x80, 0xf4]; // add al, bl; out 0x80, al; hlt
using KvmSystem kvm = KvmSystem.Open();
using MachineCore machine = new(kvm);
machine.MapRam(2 << 20);
machine.Memory.Ram.Load(new("code", 0x1000, code));
machine.Ports.Add(new WriteOnlyDevice((_, data) => Console.WriteLine($"2 + 3 = {data[0]}")), "printer", 0x80, 1);
KvmVcpu vcpu = machine.AddVcpu(apicId: 0).Vcpu;
vcpu.SetSregs(EntryRegisters.RealMode(vcpu.GetSregs()));
vcpu.SetRegs(new kvm_regs { rip = 0x1000, rax = 2, rbx = 3, rflags = 2 });
Console.WriteLine($"the machine ended: {(await machine.RunAsync()).Kind}");
