Console.WriteLine("minivmm");
return 0;
