using System.Globalization;
using F = MiniVmm.Tracing.Files.PerfettoFields;

namespace MiniVmm.Tracing.Files;

/// <summary>Reads what <see cref="PerfettoWriter"/> wrote, packet by packet.</summary>
internal sealed class PerfettoReader
{
    private readonly TraceContents _contents;
    private readonly Dictionary<ulong, string> _names = [];
    private readonly Dictionary<ulong, string> _categories = [];
    private readonly Dictionary<ulong, string> _annotations = [];
    private readonly Dictionary<ulong, string> _threads = [];
    private readonly Dictionary<ulong, OpenSlice> _open = [];
    private readonly Dictionary<ulong, long> _ran = [];

    private PerfettoReader(string path) => _contents = new() { Path = path };

    /// <summary>Reads a file's bytes; what was cut off in its last packet is left out.</summary>
    /// <exception cref="BadInputException">It is no such file.</exception>
    public static TraceContents Read(ReadOnlySpan<byte> file, string path)
    {
        PerfettoReader reader = new(path);
        ProtoCursor packets = new(file);
        int packet = 0;
        while (true)
        {
            try
            {
                if (!packets.Next())
                    break;
            }
            catch (FormatException) when (packet > 0)
            {
                break; // cut off
            }
            catch (FormatException e)
            {
                throw new BadInputException($"{path}: is no trace that minivmm wrote", e);
            }

            packet++;
            try
            {
                if (packets.Field != F.Trace.Packet)
                    throw new FormatException($"field {packets.Field} where packets are");
                reader.Take(packets.Bytes);
            }
            catch (Exception e) when (e is FormatException or OverflowException)
            {
                throw new BadInputException($"{path}: packet {packet}: is none of a trace that minivmm wrote: {e.Message}", e);
            }
        }

        return packet > 0 ? reader._contents : throw new BadInputException($"{path}: is no trace that minivmm wrote");
    }

    private void Take(ReadOnlySpan<byte> packet)
    {
        // The names first: they are for the event beside them.
        ProtoCursor fields = new(packet);
        long at = 0;
        while (fields.Next())
        {
            if (fields.Field == F.Packet.InternedData)
                TakeNames(fields.Bytes);
            else if (fields.Field == F.Packet.Timestamp)
                at = checked((long)fields.Number);
        }

        fields = new(packet);
        while (fields.Next())
        {
            if (fields.Field == F.Packet.TrackDescriptor)
                TakeTrack(fields.Bytes);
            else if (fields.Field == F.Packet.TrackEvent)
                TakeEvent(fields.Bytes, at);
        }
    }

    private void TakeNames(ReadOnlySpan<byte> interned)
    {
        ProtoCursor lists = new(interned);
        while (lists.Next())
        {
            Dictionary<ulong, string>? list = lists.Field switch
            {
                F.Interned.Categories => _categories,
                F.Interned.EventNames => _names,
                F.Interned.AnnotationNames => _annotations,
                _ => null,
            };
            if (list is null)
                continue;
            (ulong number, string name) = (0, "");
            ProtoCursor entry = new(lists.Bytes);
            while (entry.Next())
            {
                if (entry.Field == F.Interned.Iid)
                    number = entry.Number;
                else if (entry.Field == F.Interned.Name)
                    name = entry.Text;
            }

            list[number] = name;
        }
    }

    private void TakeTrack(ReadOnlySpan<byte> track)
    {
        ulong uuid = 0;
        ProtoCursor fields = new(track);
        while (fields.Next())
        {
            if (fields.Field == F.Track.Uuid)
                uuid = fields.Number;
            if (fields.Field != F.Track.Thread)
                continue;
            ProtoCursor thread = new(fields.Bytes);
            while (thread.Next())
            {
                if (thread.Field == F.Thread.Name)
                    _threads[uuid] = thread.Text;
            }
        }
    }

    private void TakeEvent(ReadOnlySpan<byte> bytes, long at)
    {
        ulong type = 0, track = 0;
        string name = "", category = "";
        Dictionary<string, string> details = [];
        ProtoCursor fields = new(bytes);
        while (fields.Next())
        {
            switch (fields.Field)
            {
                case F.Event.Type:
                    type = fields.Number;
                    break;
                case F.Event.TrackUuid:
                    track = fields.Number;
                    break;
                case F.Event.NameIid:
                    name = _names.GetValueOrDefault(fields.Number) ?? throw new FormatException($"no name has the number {fields.Number}");
                    break;
                case F.Event.CategoryIids:
                    category = _categories.GetValueOrDefault(fields.Number) ?? throw new FormatException($"no category has the number {fields.Number}");
                    break;
                case F.Event.Annotations:
                    TakeAnnotation(fields.Bytes, details);
                    break;
            }
        }

        if (type == F.Event.SliceBegin)
            _open[track] = new(category, at, details);
        else if (type == F.Event.SliceEnd && _open.Remove(track, out OpenSlice? slice))
            Close(track, slice, at);
        else if (type == F.Event.Instant && name == PerfettoWriter.EndName)
            TakeEnd(details);
    }

    private void TakeAnnotation(ReadOnlySpan<byte> bytes, Dictionary<string, string> details)
    {
        (string name, string value) = ("", "");
        ProtoCursor fields = new(bytes);
        while (fields.Next())
        {
            if (fields.Field == F.Annotation.NameIid)
                name = _annotations.GetValueOrDefault(fields.Number) ?? throw new FormatException($"no annotation has the number {fields.Number}");
            else if (fields.Field == F.Annotation.Text)
                value = fields.Text;
        }

        details[name] = value;
    }

    private void Close(ulong track, OpenSlice slice, long at)
    {
        if (slice.Category == "guest")
        {
            _ran[track] = at - slice.From;
            return;
        }

        string thread = _threads.GetValueOrDefault(track, "");
        _contents.Items.Add(TraceSlices.Item(
            name => slice.Details.GetValueOrDefault(name), thread, (int)track - 2, slice.From, at - slice.From, _ran.GetValueOrDefault(track)));
    }

    private void TakeEnd(Dictionary<string, string> details)
    {
        _contents.IsWhole = true;
        _contents.Filter = details.GetValueOrDefault("filter");
        foreach ((string name, string value) in details)
        {
            if (name == "lost")
                _contents.LostEvents = long.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture);
            if (name.Split(", ") is ["lost exits", ['v', 'C', 'P', 'U', ' ', .. var vcpu], var reason])
            {
                _contents.Lost.Add(new LostExits
                {
                    Vcpu = int.Parse(vcpu, NumberStyles.None, CultureInfo.InvariantCulture),
                    Reason = reason,
                    Count = long.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture),
                });
            }
        }
    }

    /// <summary>A slice whose end is still to come.</summary>
    private sealed class OpenSlice(string category, long from, Dictionary<string, string> details)
    {
        public string Category => category;

        public long From => from;

        public Dictionary<string, string> Details => details;
    }
}
