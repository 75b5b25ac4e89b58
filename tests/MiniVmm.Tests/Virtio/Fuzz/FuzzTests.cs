using System.Runtime.CompilerServices;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio.Fuzz;

public sealed class FuzzTests
{
    private const int Runs = 1000;
    private const int Restores = 200;
    private const int BusRuns = 100;

    public static TheoryData<string> Targets => [.. FuzzTarget.All.Select(target => target.Name)];

    public static TheoryData<string> Corpus =>
        [.. Directory.EnumerateFiles(Folder, "*.txt").Select(path => Path.GetFileName(path)).Order()];

    private static string Folder => Path.Combine(SourceFolder(), "..", "Corpus");

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_device_keeps_to_what_it_was_given_whatever_its_driver_does(string name)
    {
        FuzzPlayer player = new(FuzzTarget.Named(name));
        FuzzCounts sum = player.Play(Enumerable.Range(0, Runs).Select(seed => ($"seed {seed}", Bytes(seed))));

        // Most of it has to get somewhere, or nothing is tested.
        Assert.InRange(sum.Steps, 500 * Runs, long.MaxValue);
        Assert.InRange(sum.Starts, Runs, long.MaxValue);
        Assert.InRange(sum.Completed, sum.Steps / 50, long.MaxValue);
        Assert.InRange(sum.Broken, Runs / 20, long.MaxValue);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_driver_cannot_tell_when_another_device_goes_on_in_the_saved_state(string name)
    {
        FuzzPlayer player = new(FuzzTarget.Named(name), step => step % 37 == 36);
        FuzzCounts sum = player.Play(
            Enumerable.Range(0, Restores).Select(seed => ($"seed {seed}, handed over", Bytes(seed))));

        Assert.InRange(sum.Steps, 500 * Restores, long.MaxValue);
        Assert.InRange(sum.Completed, sum.Steps / 50, long.MaxValue);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_PCI_bus_is_what_its_registers_say_whatever_a_guest_writes(bool handsOver)
    {
        FuzzCounts sum = PlayBus("pci", handsOver);

        // BARs decoded, messages sent, and vectors pending.
        Assert.InRange(sum.Starts, sum.Steps, long.MaxValue);
        Assert.InRange(sum.Completed, sum.Steps / 200, long.MaxValue);
        Assert.InRange(sum.Broken, sum.Steps / 50, long.MaxValue);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Processors_come_and_go_as_agreed_whatever_a_guest_writes(bool handsOver)
    {
        FuzzCounts sum = PlayBus("hotplug", handsOver);

        // Asked for by the host, heard of by the guest, ejected.
        Assert.InRange(sum.Starts, sum.Steps / 20, long.MaxValue);
        Assert.InRange(sum.Completed, sum.Steps / 50, long.MaxValue);
        Assert.InRange(sum.Broken, sum.Steps / 50, long.MaxValue);
    }

    public static TheoryData<string> Faults => ["reads", "runs on", "boasts", "throws"];

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_device_that_does_what_it_must_not_is_found(string fault)
    {
        FuzzTarget target = FuzzTarget.Named("echo") with
        {
            Plug = _ => () => new EchoDevice(16, 8) { Serve = chain => Misbehave(chain, fault) },
        };
        Assert.Contains(Enumerable.Range(0, 3), seed => FuzzPlayer.Fails(target, Bytes(seed)));
    }

    /// <summary>
    /// Each a string that finds the mistake its comment names. What the bytes mean hangs on the order in which the
    /// fuzzer makes its choices: whoever changes that plants the mistakes again.
    /// </summary>
    [Theory]
    [MemberData(nameof(Corpus))]
    public void What_was_found_once_is_not_found_again(string file)
    {
        string text = string.Concat(File.ReadLines(Path.Combine(Folder, file)).Where(line => !line.StartsWith('#')));
        byte[] input = Convert.FromHexString(text);
        string name = file[..file.IndexOf('-', StringComparison.Ordinal)];
        foreach (FuzzSubject subject in FuzzSubject.Everything.Where(subject => name == "any" || subject.Name == name))
            new FuzzPlayer(subject).Play([(file, input)]);
    }

    private static FuzzCounts PlayBus(string name, bool handsOver)
    {
        FuzzSubject subject = FuzzSubject.Everything.Single(subject => subject.Name == name);
        FuzzPlayer player = handsOver ? new(subject, step => step % 37 == 36) : new(subject);
        return player.Play(Enumerable.Range(0, BusRuns).Select(seed => ($"seed {seed}{(handsOver ? ", handed over" : "")}", Bytes(seed))));
    }

    private static unsafe uint Misbehave(DescriptorChain chain, string fault)
    {
        switch (fault)
        {
            case "reads" when chain.Readable.Length > 0:
                chain.Readable[0].Base[0]++;
                return 0;
            case "runs on" when chain.Writable.Length > 0:
                chain.Writable[^1].Base[chain.Writable[^1].Length]++;
                return 0;
            case "boasts":
                return chain.WritableLength + 1;
            case "throws":
                throw new InvalidOperationException(fault);
            default:
                return 0;
        }
    }

    private static byte[] Bytes(int seed)
    {
        Random random = new(seed);
        byte[] bytes = new byte[random.Next(500, 12_000)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
