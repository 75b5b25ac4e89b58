using System.Buffers.Binary;
using System.Text;
using MiniVmm.Boot;
using MiniVmm.Measurement;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Measurement;

/// <summary>The image as data: what a monitor finds in it, and what the processor does.</summary>
public sealed class ExitGuestTests
{
    private const int Rows = ExitGuest.HeaderAddress + 16 + (9 * sizeof(ulong));

    private static readonly ExitGuest Guest = ExitGuestCode.Guest;

    [Fact]
    public void The_header_says_what_it_is_and_where_things_are()
    {
        Assert.Equal("MVMEXITS", Encoding.ASCII.GetString(Guest.Image.Span.Slice(ExitGuest.HeaderAddress, 8)));
        Assert.Equal(ExitGuest.Version, U32(ExitGuest.HeaderAddress + 8));
        Assert.Equal(
            [
                MemoryLayout.BootGdt, FlatGdt.Size - 1, ExitGuest.IdtAddress, ExitGuest.IdtLimit,
                MemoryLayout.PageTables, MemoryLayout.BootStackTop, ExitGuest.SamplesAddress, ExitGuest.RamSize,
                BenchMmio.Base,
            ],
            Enumerable.Range(0, 9).Select(i => U64(ExitGuest.HeaderAddress + 16 + (i * sizeof(ulong)))));
    }

    [Fact]
    public void Its_rows_name_every_loop_that_has_code_once_with_its_ring_and_its_entries()
    {
        uint count = U32(ExitGuest.HeaderAddress + 12);
        HashSet<string> names = [];
        for (int i = 0; i < count; i++)
        {
            int row = Rows + (i * 32);
            string name = Encoding.ASCII.GetString(Guest.Image.Span.Slice(row, 20)).TrimEnd('\0');
            Assert.Matches("^[a-z][a-z-]*$", name);
            Assert.True(names.Add(name), name);
            ExitLoop? loop = ExitLoop.All.FirstOrDefault(loop => loop.Name == name);
            Assert.Equal((uint)(loop?.Ring ?? 0), U32(row + 20));
            Assert.Equal(Guest.Entry(name, LoopForm.Plain) ?? 0, U32(row + 24));
            Assert.Equal(Guest.Entry(name, LoopForm.Timed) ?? 0, U32(row + 28));
            Assert.NotEqual(0u, U32(row + 24) | U32(row + 28));
        }

        IEnumerable<string> loops = ExitLoop.All.Select(loop => loop.Name).Where(name => name != "immediate-exit");
        Assert.Equal(loops.Concat(["nothing", "ipi-receiver"]).Order(), names.Order());
        Assert.True(Rows + (count * 32) <= ExitGuest.HeaderAddress + 4096);
    }

    [Fact]
    public void A_loop_of_that_name_or_form_that_is_not_there_has_no_entry()
    {
        Assert.Null(Guest.Entry("pio-sideways", LoopForm.Plain));
        Assert.Null(Guest.Entry("ipi", LoopForm.Plain));
        Assert.Null(Guest.Entry("kick", LoopForm.Timed));
    }

    [Fact]
    public void Names_fit_a_row_and_come_once()
    {
        Assert.All(ExitLoop.All, loop => Assert.InRange(loop.Name.Length, 1, 20));
        Assert.Equal(ExitLoop.All.Count, ExitLoop.All.Select(loop => loop.Name).Distinct().Count());
    }

    [Fact]
    public void Every_loop_has_the_forms_that_its_clock_reads()
    {
        foreach (ExitLoop loop in ExitLoop.All)
        {
            bool plain = Guest.Entry(loop.Name, LoopForm.Plain) is not null;
            bool timed = Guest.Entry(loop.Name, LoopForm.Timed) is not null;
            bool enough = loop.Clock switch
            {
                LoopClock.Host => plain && timed,
                LoopClock.Guest => timed,
                LoopClock.Partner => plain,
                _ => !plain && !timed, // no guest at all
            };
            Assert.True(enough, $"{loop.Name}: plain {plain}, timed {timed}");
        }
    }

    [Fact]
    public void Page_tables_map_four_GiB_to_themselves_for_ring_3_too()
    {
        const ulong flags = 0b111; // present, writable, user
        for (ulong address = 0; address < 4 * MemoryLayout.GiB; address += 2 * MemoryLayout.MiB)
        {
            ulong table = MemoryLayout.PageTables;
            foreach (int shift in (int[])[39, 30])
            {
                ulong entry = Entry(table, address, shift);
                Assert.Equal(flags, entry & 0xfff);
                table = entry & ~0xfffUL;
                Assert.InRange(table, MemoryLayout.PageTables, MemoryLayout.PageTablesEnd - 4096);
            }

            Assert.Equal(address | (1 << 7) | flags, Entry(table, address, 21));
        }

        static ulong Entry(ulong table, ulong address, int shift) =>
            U64((int)(table + ((address >> shift & 511) * sizeof(ulong))));
    }

    [Fact]
    public void Two_interrupt_gates_lead_to_instructions_of_the_code_and_all_others_are_absent()
    {
        HashSet<ulong> starts = [.. ExitGuestCode.From(ExitGuest.CodeAddress).Select(instruction => instruction.IP)];
        for (int vector = 0; vector < 256; vector++)
        {
            ulong low = U64((int)ExitGuest.IdtAddress + (vector * 16));
            ulong high = U64((int)ExitGuest.IdtAddress + (vector * 16) + 8);
            if (vector is not (ExitGuest.InterruptVector or ExitGuest.IpiVector))
            {
                Assert.Equal((0UL, 0UL), (low, high));
                continue;
            }

            Assert.Equal(FlatGdt.CodeSelector, (ushort)(low >> 16));
            Assert.Equal(0x8e00, (int)(low >> 32 & 0xffff)); // present, DPL 0, 64-bit interrupt gate, no IST
            Assert.Contains((low & 0xffff) | (low >> 48 << 16) | (high << 32), starts);
        }
    }

    [Fact]
    public void Nothing_of_it_lies_over_anything_else()
    {
        (ulong Start, ulong End)[] parts =
        [
            (MemoryLayout.BootGdt, MemoryLayout.BootGdt + FlatGdt.Size),
            (ExitGuest.HeaderAddress, ExitGuest.HeaderAddress + 4096),
            (ExitGuest.IdtAddress, ExitGuest.IdtAddress + ExitGuest.IdtLimit + 1),
            (ExitGuest.FlagAddress, ExitGuest.FlagAddress + sizeof(uint)),
            (ExitGuest.StringAddress, ExitGuest.StringAddress + ExitLoop.StringLength),
            (ExitGuest.SecondStackTop - 256, ExitGuest.SecondStackTop),
            (MemoryLayout.BootStackTop - 256, MemoryLayout.BootStackTop),
            (MemoryLayout.PageTables, MemoryLayout.PageTablesEnd),
            (ExitGuest.CodeAddress, (ulong)Guest.Image.Length),
            (ExitGuest.SamplesAddress, ExitGuest.SamplesAddress + (ExitGuest.MostTurns * sizeof(uint))),
        ];

        for (int i = 1; i < parts.Length; i++)
            Assert.True(parts[i - 1].End <= parts[i].Start, $"part {i} at 0x{parts[i].Start:x}");
        Assert.True(parts[^1].End <= ExitGuest.RamSize);
    }

    private static uint U32(int address) => BinaryPrimitives.ReadUInt32LittleEndian(Guest.Image.Span[address..]);

    private static ulong U64(int address) => BinaryPrimitives.ReadUInt64LittleEndian(Guest.Image.Span[address..]);
}
