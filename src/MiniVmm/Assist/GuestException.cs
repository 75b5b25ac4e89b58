using MiniVmm.Inspection;

namespace MiniVmm.Assist;

/// <summary>An exception that an instruction raises in the guest.</summary>
/// <param name="Vector">Of <see cref="ExceptionVector"/>.</param>
/// <param name="ErrorCode">What is pushed with it; null where nothing is.</param>
/// <param name="Address">What CR2 gets; null for all but page faults.</param>
internal readonly record struct GuestException(byte Vector, uint? ErrorCode = null, ulong? Address = null)
{
    /// <param name="linear">The address that could not be accessed.</param>
    /// <param name="errorCode">SDM vol. 3, 5.7.</param>
    public static GuestException PageFault(ulong linear, uint errorCode) =>
        new(ExceptionVector.PageFault, errorCode, linear);
}
