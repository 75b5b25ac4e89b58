using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Devices.State;

/// <summary>
/// What every device has to stand: its state goes into another one, which is the same from then on, and nothing else
/// goes in. How virtio devices go on is tried with the fuzzer's driver: <see cref="Virtio.Fuzz.FuzzTests"/>.
/// </summary>
public sealed class SuspendableTests
{
    private const int Rounds = 20;

    public static TheoryData<string> Devices => StateSubjects.Names;

    [Fact]
    public void Every_device_that_gives_its_state_is_tested_here() =>
        Assert.Equal(StateSubjects.Suspendable.Select(type => type.Name).Order(), StateSubjects.All.Keys.Select(type => type.Name).Order());

    [Fact]
    public void Every_device_that_has_a_state_gives_it()
    {
        Assert.Contains(typeof(Serial16550), StateSubjects.WithState);
        Assert.Contains(typeof(VgaCrtc), StateSubjects.WithState);
        Assert.DoesNotContain(typeof(DebugConsole), StateSubjects.WithState);
        Assert.All(StateSubjects.WithState, type => Assert.True(
            type.IsAssignableTo(typeof(ISuspendable)), $"{type.Name} has fields that change, and is not ISuspendable"));
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_device_goes_on_in_another_as_if_nothing_had_been(string name)
    {
        for (int seed = 0; seed < Rounds; seed++)
        {
            using StateSubject first = StateSubjects.Make(name);
            first.Prepare(new Random(seed));
            byte[] state = StateWriter.Save(first.Device);
            using StateSubject second = first.Another();

            StateReader.Restore(second.Device, state);

            Assert.Equal(state, StateWriter.Save(second.Device));
            if (first is BusSubject)
                Assert.Equal(first.Use(new Random(~seed)), second.Use(new Random(~seed)));
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_state_replaces_the_one_that_a_device_was_in(string name)
    {
        using StateSubject first = StateSubjects.Make(name);
        byte[] fresh = StateWriter.Save(first.Device);
        using StateSubject used = first.Another();
        used.Prepare(new Random(1));

        StateReader.Restore(used.Device, fresh);

        Assert.Equal(fresh, StateWriter.Save(used.Device));
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_damaged_state_is_refused_in_words(string name)
    {
        using StateSubject subject = Prepared(name, out byte[] state);
        using StateSubject other = subject.Another();
        for (int length = 0; length < state.Length; length++)
            Assert.Contains("damaged", Refusal(other, state[..length]), StringComparison.Ordinal);
        Assert.Contains("damaged: 1 bytes are left over", Refusal(other, [.. state, 0]), StringComparison.Ordinal);
        for (int at = 0; at < state.Length; at++)
        {
            byte[] flipped = [.. state];
            flipped[at] ^= (byte)(1 << (at % 8));
            Assert.Contains("damaged", Refusal(other, flipped), StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_state_with_other_values_in_it_is_taken_or_refused_in_words(string name)
    {
        using StateSubject subject = Prepared(name, out byte[] state);
        int refused = 0;
        for (int at = 0; at < state.Length; at++)
        {
            foreach (byte change in (byte[])[0x01, 0x80, 0xff])
            {
                byte[] altered = StateDamage.Altered(state, bytes => bytes[at] ^= change);
                refused += Try(subject, altered) ? 0 : 1;
            }
        }

        Assert.True(refused > 10, $"{refused} refusals");
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_state_of_chance_bytes_is_taken_or_refused_in_words(string name)
    {
        using StateSubject subject = Prepared(name, out byte[] state);
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            Try(subject, StateDamage.Altered(state, bytes =>
            {
                for (int i = random.Next(1, 6); i > 0; i--)
                    random.NextBytes(bytes.AsSpan(random.Next(bytes.Length))[..1]);
            }));
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Another_devices_state_is_refused_by_its_name(string name)
    {
        using StateSubject subject = StateSubjects.Make(name);
        foreach (Type type in StateSubjects.All.Keys.Where(type => type.Name != name))
        {
            using StateSubject foreign = Prepared(type.Name, out byte[] state);
            string refusal = Refusal(subject, state);
            if (foreign.Device.StateName != subject.Device.StateName)
            {
                Assert.Contains(
                    $"\"{foreign.Device.StateName}\" where \"{subject.Device.StateName}\" is due", refusal, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_newer_state_is_refused_by_its_version(string name)
    {
        using StateSubject subject = Prepared(name, out byte[] state);
        using StateSubject other = subject.Another();
        ushort known = subject.Device.StateVersion;
        foreach (int at in StateDamage.Records(state))
        {
            byte[] newer = StateDamage.Altered(
                state, bytes => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at + 4), 9));
            Assert.EndsWith(
                $"version 9, and this MiniVmm knows up to {known}; use a newer MiniVmm", Refusal(other, newer), StringComparison.Ordinal);
        }

        byte[] older = StateDamage.Altered(
            state, bytes => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), 0));
        Assert.Contains("damaged", Refusal(other, older), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_are_short_plain_and_each_devices_own()
    {
        string[] names = [.. StateSubjects.All.Values.SelectMany(NamesOf).Distinct()];
        Assert.All(names, name => Assert.Matches("^[a-z0-9-]{1,32}$", name));
        Assert.Equal(StateSubjects.All.Count + 1, names.Length); // and the tests' own echo
        Assert.All(names, name => Assert.True(
            name == "echo" || File.ReadAllText(Path.Combine(Repository.Root, "docs", "state-format.md"))
                .Contains($"## {name}\n", StringComparison.Ordinal),
            $"docs/state-format.md says nothing of {name}"));
    }

    private static IEnumerable<string> NamesOf(Func<StateSubject> make)
    {
        using StateSubject subject = make();
        byte[] state = StateWriter.Save(subject.Device);
        return
        [
            .. StateDamage.Records(state).Select(
                at => System.Text.Encoding.ASCII.GetString(state, at + StateRecord.HeaderLength, state[at + 6])),
        ];
    }

    private static StateSubject Prepared(string name, out byte[] state)
    {
        StateSubject subject = StateSubjects.Make(name);
        subject.Prepare(new Random(7));
        state = StateWriter.Save(subject.Device);
        return subject;
    }

    /// <summary>Whether another takes the state; if so, it must be of use.</summary>
    private static bool Try(StateSubject subject, byte[] state)
    {
        using StateSubject other = subject.Another();
        try
        {
            StateReader.Restore(other.Device, state);
        }
        catch (StateException refusal)
        {
            Assert.StartsWith("saved state", refusal.Message, StringComparison.Ordinal);
            return false;
        }

        other.Use(new Random(3));
        return true;
    }

    private static string Refusal(StateSubject subject, byte[] state)
    {
        StateException refusal = Assert.Throws<StateException>(() => StateReader.Restore(subject.Device, state));
        return refusal.Message;
    }
}
