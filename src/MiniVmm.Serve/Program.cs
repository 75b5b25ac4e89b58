using MiniVmm.Serve;

return await ServeProgram.RunAsync(args, Console.Error).ConfigureAwait(false);
