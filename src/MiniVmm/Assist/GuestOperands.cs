using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Assist;

/// <summary>
/// Memory as the guest's instruction sees it: segment, page tables and RAM, with every check that the processor makes.
/// Allocates nothing.
/// </summary>
/// <param name="cpu">The vCPU.</param>
/// <param name="memory">Guest RAM.</param>
internal sealed unsafe class GuestOperands(AssistedCpu cpu, GuestMemory memory)
{
    private const uint PageBytes = 4096;
    private const ulong Accessed = 1 << 5;
    private const ulong Dirty = 1 << 6;
    private const ulong ProtectionKeys = 1 << 22 | 1 << 24; // CR4.PKE, CR4.PKS

    /// <summary>
    /// Why the last access failed: the exception that it raises; null where it is one that the assist leaves alone, as to a
    /// device's memory.
    /// </summary>
    public GuestException? Fault { get; private set; }

    /// <summary>The linear address of a memory operand.</summary>
    /// <param name="instruction">Has one.</param>
    /// <param name="size">Bytes that are accessed.</param>
    /// <param name="write">Whether they are written.</param>
    /// <param name="linear">The address.</param>
    public bool TryLocate(in Instruction instruction, int size, bool write, out ulong linear)
    {
        Fault = null;
        linear = 0;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return instruction.TryGetVirtualAddress(i, 0, cpu, out ulong offset)
                    && TryLinear(instruction.MemorySegment, offset, size, write, out linear);
        }

        return false;
    }

    /// <summary>Reads code, at most to the end of its page.</summary>
    /// <param name="offset">Bytes behind RIP.</param>
    /// <param name="code">Room for it.</param>
    /// <returns>Bytes read; 0 with <see cref="Fault"/>.</returns>
    public int Fetch(int offset, Span<byte> code)
    {
        Fault = null;
        ulong rip = cpu.Regs.rip + (uint)offset;
        ulong linear = cpu.Is64Bit ? rip : (uint)(cpu.Sregs.cs.@base + rip);
        int run = (int)Math.Min((uint)code.Length, PageBytes - (uint)(linear % PageBytes));
        if (!cpu.Is64Bit)
        {
            if (rip > cpu.Sregs.cs.limit)
            {
                Fault = Error(ExceptionVector.GeneralProtection);
                return 0;
            }

            run = (int)Math.Min((ulong)run, cpu.Sregs.cs.limit - rip + 1);
        }

        if (!TryTranslate(linear, PageAccess.Fetch, out byte* host, run))
            return 0;
        new ReadOnlySpan<byte>(host, run).CopyTo(code);
        return run;
    }

    /// <summary>Reads bytes at a linear address that <see cref="TryLocate"/> gave.</summary>
    public bool TryRead(ulong linear, Span<byte> bytes) => TryCopy(linear, bytes, write: false);

    /// <summary>Reads a value of 1 to 8 bytes.</summary>
    public bool TryRead(ulong linear, int size, out ulong value)
    {
        value = 0;
        return TryRead(linear, MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..size]);
    }

    /// <summary>Writes bytes: all of them, or none if a page of them cannot be written.</summary>
    public bool TryWrite(ulong linear, Span<byte> bytes) =>
        TryProbe(linear, bytes.Length, write: true) && TryCopy(linear, bytes, write: true);

    /// <summary>Writes a value of 1 to 8 bytes.</summary>
    public bool TryWrite(ulong linear, int size, ulong value) =>
        TryWrite(linear, MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..size]);

    /// <summary>Whether all of a range can be accessed; nothing is.</summary>
    public bool TryProbe(ulong linear, int size, bool write)
    {
        for (int done = 0; done < size;)
        {
            ulong at = Wrap(linear + (ulong)done);
            int run = (int)Math.Min((uint)(size - done), PageBytes - (uint)(at % PageBytes));
            if (!TryTranslate(at, write ? PageAccess.Write : PageAccess.Read, out _, run))
                return false;
            done += run;
        }

        return true;
    }

    /// <summary>The host's address of bytes that lie in one page, to be written.</summary>
    public bool TryPin(ulong linear, int size, out byte* host)
    {
        Fault = null;
        host = null;
        return linear % PageBytes + (uint)size <= PageBytes && TryTranslate(linear, PageAccess.Write, out host, size);
    }

    /// <summary>A fault with error code 0, or without one in real mode, which has none.</summary>
    public GuestException Error(byte vector) => new(vector, cpu.IsProtected ? 0u : null);

    private ulong Wrap(ulong linear) => cpu.Is64Bit ? linear : (uint)linear;

    private bool TryLinear(Register name, ulong offset, int size, bool write, out ulong linear)
    {
        kvm_segment segment = RegisterFile.Segment(cpu.Sregs, name);
        byte vector = name == Register.SS ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection;
        if (!cpu.Is64Bit)
        {
            linear = (uint)(segment.@base + offset);
            bool hasTypes = cpu.IsProtected && !cpu.IsVirtual8086;
            if (SegmentAccess.Check(segment, offset, size, write, hasTypes) == SegmentProblem.None)
                return true;
            Fault = Error(vector);
            return false;
        }

        linear = offset + (name is Register.FS or Register.GS ? segment.@base : 0);
        PagingState paging = cpu.Paging;
        if (paging.IsCanonical(linear) && paging.IsCanonical(linear + (uint)size - 1))
            return true;
        Fault = Error(vector);
        return false;
    }

    private bool TryCopy(ulong linear, Span<byte> bytes, bool write)
    {
        Fault = null;
        for (int done = 0; done < bytes.Length;)
        {
            ulong at = Wrap(linear + (ulong)done);
            int run = (int)Math.Min((uint)(bytes.Length - done), PageBytes - (uint)(at % PageBytes));
            if (!TryTranslate(at, write ? PageAccess.Write : PageAccess.Read, out byte* host, run))
                return false;
            Span<byte> guest = new(host, run);
            if (write)
                bytes.Slice(done, run).CopyTo(guest);
            else
                guest.CopyTo(bytes[done..]);
            done += run;
        }

        return true;
    }

    /// <summary>Walks the page tables for bytes that lie in one page, and marks the page as the processor does.</summary>
    private bool TryTranslate(ulong linear, PageAccess access, out byte* host, int size)
    {
        Fault = null;
        host = null;
        PagingState paging = cpu.Paging;
        if (cpu.Cpl == 3)
        {
            access |= PageAccess.User;

            // Alignment checks are the caller's, and there is none.
            if ((cpu.Sregs.cr0 & ControlBits.Cr0Am) != 0 && (cpu.Regs.rflags & ControlBits.RflagsAc) != 0
                && (access & PageAccess.Fetch) == 0)
                return false;
        }

        PageWalk walk = PageWalk.Of(linear, paging, memory);
        if (!walk.Permits(access, paging, out uint error))
        {
            Fault = walk.End switch
            {
                PageWalkEnd.NotCanonical => Error(ExceptionVector.GeneralProtection),
                PageWalkEnd.TableNotInRam => null,
                _ => GuestException.PageFault(linear, error),
            };
            return false;
        }

        // Protection keys have a say in user pages, and the walk does not look at them.
        if (walk.IsUser && walk.Mode != PagingMode.None && (cpu.Sregs.cr4 & ProtectionKeys) != 0
            && (access & PageAccess.Fetch) == 0)
            return false;
        return Mark(walk, (access & PageAccess.Write) != 0) && memory.TryResolve(walk.Physical, (uint)size, out host);
    }

    /// <summary>Sets accessed and dirty bits (SDM vol. 3, 5.8).</summary>
    private bool Mark(in PageWalk walk, bool write)
    {
        for (int i = 0; i < walk.Count; i++)
        {
            if (walk.Mode == PagingMode.Pae && i == 0)
                continue; // a PDPTE has none
            ulong wanted = Accessed | (write && i == walk.Count - 1 ? Dirty : 0);
            PageEntry entry = walk[i];
            if ((entry.Value & wanted) == wanted)
                continue;
            if (!memory.TryResolve(entry.Address, 4, out byte* at))
                return false;

            // Bits 5 and 6 are in the low half, whatever the entry's size.
            _ = Interlocked.Or(ref Unsafe.AsRef<int>(at), (int)wanted);
        }

        return true;
    }
}
