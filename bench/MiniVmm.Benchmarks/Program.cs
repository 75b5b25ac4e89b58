using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

// What happens inside the process: dotnet run -c Release --project bench/MiniVmm.Benchmarks -- --filter '*Exit*'
IEnumerable<Summary> summaries = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);

// A benchmark that could not run (no /dev/kvm, no guests) is only a line among many: let the exit status say so too.
return summaries.All(summary => !summary.HasCriticalValidationErrors && summary.Reports.All(report => report.Success))
    ? 0
    : 1;
