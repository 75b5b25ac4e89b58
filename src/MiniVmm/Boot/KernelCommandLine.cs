using System.Text;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>A kernel command line as the guest gets it: UTF-8 with a NUL at the end.</summary>
internal static class KernelCommandLine
{
    /// <summary>Places an encoded line for a protocol that points to it.</summary>
    /// <returns>Its guest-physical address, below 4 GiB.</returns>
    /// <exception cref="BadInputException">The kernel leaves no room.</exception>
    public static ulong Place(LoadPlan plan, byte[] line)
    {
        const string name = "kernel command line";
        ulong address = plan.RoomFor(name, (ulong)line.Length, MemoryLayout.CommandLine);
        plan.Add(new(name, address, line));
        return address;
    }

    /// <param name="file">Kernel file, for the error.</param>
    /// <param name="text">The line.</param>
    /// <param name="longest">Most bytes that the kernel takes, without the NUL.</param>
    /// <exception cref="BadInputException">A NUL inside, or too long.</exception>
    public static byte[] Encode(string file, string text, ulong longest)
    {
        if (text.Contains('\0', StringComparison.Ordinal))
            throw new BadInputException($"{file}: the command line holds a NUL character");
        longest = Math.Min(longest, MemoryLayout.CommandLineMax - 1);
        // Counted first: a line that is far too long is not worth a buffer.
        int length = Encoding.UTF8.GetByteCount(text);
        if ((ulong)length > longest)
        {
            throw new BadInputException(
                $"{file}: the command line has {length} bytes, more than {longest}; shorten {OptionName.Append}");
        }

        byte[] bytes = new byte[length + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}
