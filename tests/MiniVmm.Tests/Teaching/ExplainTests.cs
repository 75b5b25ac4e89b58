using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Teaching.Explain;

namespace MiniVmm.Tests.Teaching;

/// <summary>The tables behind <c>--explain</c> against the ABI, and what is written of made-up calls.</summary>
public sealed class ExplainTests
{
    public static TheoryData<string> Structures => [.. KvmStructures.All.Select(structure => structure.Name)];

    [Theory]
    [MemberData(nameof(Structures))]
    public void A_structure_has_the_fields_of_the_ABI_at_their_places(string name)
    {
        KvmStructure structure = KvmStructures.Find(name);
        if (name == "__u32")
        {
            Assert.Equal(sizeof(uint), structure.Size);
            return;
        }

        Type type = typeof(KvmSystem).Assembly.GetTypes().Single(type => type.Name == name);
        Dictionary<string, FieldInfo> fields = type.GetFields().ToDictionary(field => field.Name);

        Assert.Equal(Marshal.SizeOf(type), structure.Size);
        Assert.All(structure.Fields, field => Assert.Equal((int)Marshal.OffsetOf(type, field.Name), field.Offset));
        Assert.Empty(fields.Keys.Except(structure.Fields.Select(field => field.Name)).Except(["padding1", "padding2", "pad", "padding", "status", "host_tsc"]));
        for (int i = 0; i < structure.Fields.Count; i++)
        {
            KvmField field = structure.Fields[i];
            int end = i + 1 < structure.Fields.Count ? structure.Fields[i + 1].Offset : structure.Size;
            Assert.InRange(field.Offset + (field.Size * field.Count), field.Offset + 1, end);
        }
    }

    [Fact]
    public void A_call_has_the_kernels_number_and_name_and_the_structure_that_its_number_tells_the_size_of()
    {
        Dictionary<string, uint> numbers = typeof(KvmIoctl).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.FieldType == typeof(uint)).ToDictionary(field => field.Name, field => (uint)field.GetValue(null)!);
        int known = 0;
        foreach ((string name, uint number) in numbers)
        {
            if (KvmApi.Find(number) is not { } api)
                continue;
            known++;
            Assert.Equal(name, api.Name);
            Assert.Matches(@"^4\.[0-9]+$", api.Section);
            Assert.EndsWith(".", api.Why, StringComparison.Ordinal);
            if (api.Structure.Size > 0)
                Assert.Equal(number >> 16 & 0x3FFF, (uint)api.Structure.Size);
        }

        Assert.InRange(known, 35, numbers.Count);
    }

    [Fact]
    public void Nobody_watches_unless_asked_to()
    {
        Assert.Null(KvmCall.Observer);
        using (new CallRecorder(_ => { }))
            Assert.NotNull(KvmCall.Observer);
        Assert.Null(KvmCall.Observer);
    }

    [Fact]
    public unsafe void Files_are_told_apart_by_the_calls_that_made_them()
    {
        List<ObservedCall> calls = [];
        using (new CallRecorder(calls.Add))
        {
            KvmCallObserver observer = KvmCall.Observer!;
            observer(3, KvmIoctl.KVM_GET_API_VERSION, 0, 12);
            observer(3, KvmIoctl.KVM_CREATE_VM, 0, 4);
            observer(4, KvmIoctl.KVM_CREATE_VCPU, 0, 5);
            observer(4, KvmIoctl.KVM_CREATE_VCPU, 2, 6);
            kvm_mp_state state = new() { mp_state = KvmConstants.KVM_MP_STATE_HALTED };
            observer(6, KvmIoctl.KVM_SET_MP_STATE, (nuint)(&state), 0);
            observer(6, KvmIoctl.KVM_SET_MP_STATE, (nuint)(&state), -22);
        }

        Assert.Equal(
            [
                "ioctl(kvm, KVM_GET_API_VERSION, 0) = 12",
                "ioctl(kvm, KVM_CREATE_VM, 0) = 4 (vm)",
                "ioctl(vm, KVM_CREATE_VCPU, 0) = 5 (vcpu0)",
                "ioctl(vm, KVM_CREATE_VCPU, 2) = 6 (vcpu1)",
                "ioctl(vcpu1, KVM_SET_MP_STATE, {mp_state=KVM_MP_STATE_HALTED}) = 0",
                "ioctl(vcpu1, KVM_SET_MP_STATE, {mp_state=KVM_MP_STATE_HALTED}) = -1 EINVAL",
            ],
            calls.Select(CallText.Of));
    }

    [Fact]
    public void Only_what_differs_from_zero_is_written_by_the_kernels_names()
    {
        kvm_userspace_memory_region region = new()
        {
            slot = 1,
            flags = KvmConstants.KVM_MEM_READONLY | 0x40,
            guest_phys_addr = 0x1000,
            memory_size = 0x20_0000,
            userspace_addr = 0x7f00_0000_0000,
        };

        Assert.Equal(
            "ioctl(vm, KVM_SET_USER_MEMORY_REGION, {slot=1, flags=KVM_MEM_READONLY|0x40, guest_phys_addr=0x1000, "
            + "memory_size=0x200000 (2 MiB), userspace_addr=0x7f0000000000}) = 0",
            CallText.Of(Call(CallTarget.Vm, KvmIoctl.KVM_SET_USER_MEMORY_REGION, region)));
        kvm_sregs sregs = new() { cr0 = 0x8000_0011, cr4 = 0x20, efer = 0x500 };
        sregs.cs.selector = 8;
        Assert.Equal(
            "ioctl(vcpu0, KVM_SET_SREGS, {cs={selector=8}, cr0=0x80000011 (PE ET PG), cr4=0x20 (PAE), efer=0x500 (LME LMA)}) = 0",
            CallText.Of(Call(CallTarget.Vcpu, KvmIoctl.KVM_SET_SREGS, sregs)));
    }

    [Fact]
    public void A_list_is_read_to_its_end()
    {
        byte[] block = [1, 0, 0, 0, 0, 0, 0, 0, .. Bytes(new kvm_msr_entry { index = 0x2ff, data = 0xc06 })];

        Assert.Equal(
            "ioctl(vcpu0, KVM_SET_MSRS, {nmsrs=1, {index=IA32_MTRR_DEF_TYPE, data=0xc06}}) = 1",
            CallText.Of(new(CallTarget.Vcpu, 0, KvmIoctl.KVM_SET_MSRS, 0, block, 1)));
    }

    [Fact]
    public void A_transcript_says_why_once_and_fits_a_terminal()
    {
        using StringWriter text = new() { NewLine = "\n" };
        Transcript transcript = new(text);
        foreach (ObservedCall call in Calls)
            transcript.Write(call);
        using MachinePlan plan = Plan();
        transcript.WriteEnd(Calls, plan);

        string written = text.ToString();
        Assert.Equal(2, written.Split("A processor is a file of its own").Length);
        Assert.Contains("== 1. KVM itself ", written, StringComparison.Ordinal);
        Assert.Contains("[api.rst 4.7]", written, StringComparison.Ordinal);
        Assert.Contains("vcpu0 begins in protected mode, without paging:", written, StringComparison.Ordinal);
        Assert.Contains("vcpu1 waits for INIT and SIPI", written, StringComparison.Ordinal);
        Assert.Contains("| e820: usable ", written, StringComparison.Ordinal);
        Assert.All(written.Split('\n'), line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public void JSON_has_the_arguments_as_numbers_by_the_kernels_names()
    {
        using MachinePlan plan = Plan();
        using MemoryStream output = new();
        using (Utf8JsonWriter writer = new(output))
            TranscriptJson.Write(writer, Calls, plan);

        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(output.ToArray()));
        JsonElement region = document.RootElement.GetProperty("calls").EnumerateArray()
            .Single(call => call.GetProperty("name").GetString() == "KVM_SET_USER_MEMORY_REGION");
        Assert.Equal(0x20_0000, region.GetProperty("argument").GetProperty("memory_size").GetInt64());
        Assert.Equal("4.35", region.GetProperty("section").GetString());
        Assert.True(document.RootElement.GetProperty("memory").GetArrayLength() > 2);
    }

    private static readonly ObservedCall[] Calls =
    [
        new(CallTarget.Kvm, 0, KvmIoctl.KVM_GET_API_VERSION, 0, [], 12),
        new(CallTarget.Kvm, 0, KvmIoctl.KVM_CHECK_EXTENSION, (ulong)KvmCapability.KVM_CAP_IRQFD, [], 1),
        new(CallTarget.Kvm, 0, KvmIoctl.KVM_CREATE_VM, 0, [], 4),
        Call(CallTarget.Vm, KvmIoctl.KVM_SET_USER_MEMORY_REGION, new kvm_userspace_memory_region { memory_size = 0x20_0000, userspace_addr = 0x7f00_0000_0000 }),
        new(CallTarget.Vm, 0, KvmIoctl.KVM_CREATE_VCPU, 0, [], 5),
        new(CallTarget.Vm, 1, KvmIoctl.KVM_CREATE_VCPU, 1, [], 6),
        Call(CallTarget.Vcpu, KvmIoctl.KVM_SET_SREGS, new kvm_sregs { cr0 = 0x11 }),
        Call(CallTarget.Vcpu, KvmIoctl.KVM_SET_REGS, new kvm_regs { rip = 0x10_0000, rflags = 2 }),
    ];

    private static MachinePlan Plan()
    {
        string kernel = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(kernel, [0xf4]);
            return MachinePlan.Create(new MachineOptions { Kernel = kernel, Format = MiniVmm.Boot.BinaryFormat.Flat32 });
        }
        finally
        {
            File.Delete(kernel);
        }
    }

    private static ObservedCall Call<T>(CallTarget target, uint request, T block)
        where T : unmanaged => new(target, 0, request, 0, Bytes(block), 0);

    private static byte[] Bytes<T>(T block)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in block)).ToArray();
}
