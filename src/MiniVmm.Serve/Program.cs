using MiniVmm.Serve;

return await ServeProgram.RunAsync(args).ConfigureAwait(false);
