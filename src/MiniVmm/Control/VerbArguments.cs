using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>The arguments of one request.</summary>
internal sealed class VerbArguments
{
    private readonly Dictionary<VerbArgument, object> _values = [];

    public VerbArguments Set<T>(VerbArgument<T> argument, T value)
        where T : notnull
    {
        _values[argument] = value;
        return this;
    }

    /// <summary>Gets an argument's value; false if it was not given.</summary>
    public bool TryGet<T>(VerbArgument<T> argument, [MaybeNullWhen(false)] out T value)
        where T : notnull
    {
        bool given = _values.TryGetValue(argument, out object? stored);
        value = given ? (T)stored! : default;
        return given;
    }

    public bool Has(VerbArgument argument) => _values.ContainsKey(argument);

    internal void Write(Utf8JsonWriter writer)
    {
        foreach ((VerbArgument argument, object value) in _values)
        {
            if (!argument.IsLocal)
                argument.Write(writer, value);
        }
    }
}
