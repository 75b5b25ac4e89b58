namespace MiniVmm.Tracing.Files;

/// <summary>Field numbers of Perfetto's trace format, by message (github.com/google/perfetto, protos/perfetto/trace).</summary>
internal static class PerfettoFields
{
    /// <summary>trace.proto.</summary>
    public static class Trace
    {
        public const int Packet = 1;
    }

    /// <summary>trace_packet.proto.</summary>
    public static class Packet
    {
        public const int Timestamp = 8;
        public const int SequenceId = 10; // trusted_packet_sequence_id
        public const int TrackEvent = 11;
        public const int InternedData = 12;
        public const int SequenceFlags = 13;
        public const int TrackDescriptor = 60;

        public const ulong StateCleared = 1; // SEQ_INCREMENTAL_STATE_CLEARED
        public const ulong NeedsState = 2; // SEQ_NEEDS_INCREMENTAL_STATE
    }

    /// <summary>track_event/track_descriptor.proto.</summary>
    public static class Track
    {
        public const int Uuid = 1;
        public const int Name = 2;
        public const int Process = 3;
        public const int Thread = 4;
        public const int ParentUuid = 5;
        public const int Counter = 8;
    }

    /// <summary>track_event/process_descriptor.proto.</summary>
    public static class Process
    {
        public const int Pid = 1;
        public const int Name = 6;
    }

    /// <summary>track_event/thread_descriptor.proto.</summary>
    public static class Thread
    {
        public const int Pid = 1;
        public const int Tid = 2;
        public const int Name = 5;
    }

    /// <summary>track_event/counter_descriptor.proto.</summary>
    public static class Counter
    {
        public const int UnitName = 6;
    }

    /// <summary>track_event/track_event.proto.</summary>
    public static class Event
    {
        public const int CategoryIids = 3;
        public const int Annotations = 4;
        public const int Type = 9;
        public const int NameIid = 10;
        public const int TrackUuid = 11;
        public const int DoubleCounterValue = 44;
        public const int FlowIds = 47;
        public const int TerminatingFlowIds = 48;

        public const ulong SliceBegin = 1;
        public const ulong SliceEnd = 2;
        public const ulong Instant = 3;
        public const ulong CounterType = 4;
    }

    /// <summary>track_event/debug_annotation.proto.</summary>
    public static class Annotation
    {
        public const int NameIid = 1;
        public const int Text = 6;
    }

    /// <summary>interned_data/interned_data.proto; an entry is its iid and its name.</summary>
    public static class Interned
    {
        public const int Categories = 1;
        public const int EventNames = 2;
        public const int AnnotationNames = 3;
        public const int Iid = 1;
        public const int Name = 2;
    }
}
