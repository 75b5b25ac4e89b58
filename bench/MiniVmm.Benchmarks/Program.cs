using BenchmarkDotNet.Running;

// What happens inside the process: dotnet run -c Release --project bench/MiniVmm.Benchmarks -- --filter '*Exit*'
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
