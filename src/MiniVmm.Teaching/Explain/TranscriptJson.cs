using System.Text.Json;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Teaching.Explain;

/// <summary>The making of a machine for programs; docs/explain.md lists its members.</summary>
internal static class TranscriptJson
{
    public static void Write(Utf8JsonWriter writer, IReadOnlyList<ObservedCall> calls, MachinePlan plan)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("calls");
        foreach (ObservedCall call in calls)
            Write(writer, call);
        writer.WriteEndArray();
        writer.WriteStartArray("memory");
        foreach ((GuestRange range, string what) in plan.Map)
        {
            writer.WriteStartObject();
            writer.WriteNumber("start", range.Start);
            writer.WriteNumber("length", range.Length);
            writer.WriteString("what", what);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, ObservedCall call)
    {
        writer.WriteStartObject();
        writer.WriteString("file", call.File);
        writer.WriteString("name", call.Api?.Name);
        writer.WriteNumber("request", call.Request);
        writer.WriteString("step", call.Api?.Step);
        writer.WriteString("section", call.Api?.Section);
        writer.WriteString("why", call.Api?.Why);
        if (call.Request == KvmIoctl.KVM_CHECK_EXTENSION)
            writer.WriteString("argument", $"{(KvmCapability)call.Argument}");
        else if (call.Block.Length == 0)
            writer.WriteNumber("argument", call.Argument);
        else if (call.Api is { Structure: { Size: > 0 } structure })
            Write(writer, "argument", structure, call.Block);
        else
            writer.WriteString("argument", Convert.ToHexStringLower(call.Block));
        writer.WriteNumber("result", call.Result);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string? name, KvmStructure structure, ReadOnlySpan<byte> block)
    {
        if (name is null)
            writer.WriteStartObject();
        else
            writer.WriteStartObject(name);
        foreach (KvmField field in structure.Fields)
            Write(writer, field, block);
        if (structure.List is { } list)
        {
            writer.WriteStartArray("list");
            for (int at = structure.Size; at + list.Size <= block.Length; at += list.Size)
                Write(writer, null, list, block.Slice(at, list.Size));
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, KvmField field, ReadOnlySpan<byte> block)
    {
        ReadOnlySpan<byte> all = block.Slice(field.Offset, field.Size * field.Count);
        if (!all.ContainsAnyExcept((byte)0))
            return;
        if (field.Count == 1 && field.Structure is { } part)
        {
            Write(writer, field.Name, part, all);
        }
        else if (field.Count == 1)
        {
            writer.WriteNumber(field.Name, field.Read(block));
        }
        else
        {
            writer.WriteStartArray(field.Name);
            for (int i = 0; i < field.Count; i++)
            {
                if (field.Structure is { } element)
                    Write(writer, null, element, all.Slice(i * field.Size, field.Size));
                else
                    writer.WriteNumberValue(field.Read(block, i));
            }

            writer.WriteEndArray();
        }
    }
}
