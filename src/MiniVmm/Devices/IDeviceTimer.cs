namespace MiniVmm.Devices;

/// <summary>A device whose time comes of itself, and not only when the guest looks.</summary>
internal interface ITimedDevice
{
    /// <summary>Does what is due, on the timer's thread.</summary>
    /// <returns>
    /// How long until more may be due; <see cref="Timeout.InfiniteTimeSpan"/> where nothing will be until the device wakes
    /// its timer.
    /// </returns>
    TimeSpan DoWhatIsDue();
}

/// <summary>Calls an <see cref="ITimedDevice"/> when it is time.</summary>
internal interface IDeviceTimer
{
    /// <summary>Has the device called soon, since what it waits for has changed. From any thread, without its lock.</summary>
    void Wake();
}
