namespace MiniVmm;

/// <summary>
/// An error that a person can act on, in one line: what was wrong, with which value, of which option, and what to do.
/// Never shown with a stack trace.
/// </summary>
public abstract class VmmException(OptionMessage text, Exception? inner = null) : Exception(text.ToString(), inner)
{
    /// <summary><see cref="Exception.Message"/>, for whoever spells options in another way than a configuration.</summary>
    public OptionMessage Text { get; } = text;

    /// <summary>The option at fault with the value that was given for it; null where it is none of them.</summary>
    public NamedOption? Subject => Text.Subject;
}

/// <summary>Bad arguments, or an input file that cannot be used.</summary>
public sealed class BadInputException(OptionMessage text, Exception? inner = null) : VmmException(text, inner)
{
    /// <summary>
    /// What is wrong with a kernel's file, without advice, where it is none that MiniVmm enters itself: firmware may make more of it.
    /// Null for every other fault, be it the same file's.
    /// </summary>
    internal OptionMessage? NoKernel { get; private init; }

    /// <summary>A file that is no kernel for MiniVmm.</summary>
    /// <param name="reason">What is wrong with it.</param>
    /// <param name="advice">What to do about it, with what parts it from the reason.</param>
    /// <param name="inner">What was found out first.</param>
    internal static BadInputException OfNoKernel(OptionMessage reason, OptionMessage? advice = null, Exception? inner = null) =>
        new($"{reason}{advice ?? ""}", inner) { NoKernel = reason };
}

/// <summary>The host cannot do what was asked (no /dev/kvm, no huge pages, …).</summary>
public sealed class HostLimitException(OptionMessage text, Exception? inner = null) : VmmException(text, inner);
