// The program that sources with tests become.
internal static class RunTests
{
    private static int Main(string[] args) => new NUnitLite.AutoRun(typeof(RunTests).Assembly).Execute(args);
}
